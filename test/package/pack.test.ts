import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import test from "node:test";
import { root } from "../suites.ts";

test("the packed tarball installs into an empty folder, starts, and answers a search", async () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), "logkeep-pack-"));
  try {
    execFileSync("npm", ["pack", "--silent", "--pack-destination", folder], {
      cwd: root,
      stdio: "pipe",
    });
    const tarball = readdirSync(folder).find((file) => file.endsWith(".tgz"));
    assert.ok(tarball !== undefined);
    const listing = execFileSync("tar", ["-tzf", path.join(folder, tarball)]).toString();
    assert.match(listing, /services\/src\/main\.js\n/);
    assert.match(listing, /services\/src\/main\.d\.ts\n/);
    assert.doesNotMatch(listing, /[^d]\.ts\n|\/test\/|node_modules/);
    writeFileSync(path.join(folder, "package.json"), '{"private":true}');
    // What the checkout's own installation has fetched need not be asked for again.
    const flags = ["--silent", "--no-audit", "--no-fund", "--prefer-offline"];
    execFileSync("npm", ["install", ...flags, `./${tarball}`], { cwd: folder, stdio: "pipe" });
    const bin = path.join(folder, "node_modules/.bin/logkeep");
    const version = spawnSync(bin, ["--version"]);
    assert.match(version.stdout.toString(), /^\d+\.\d+\.\d+\n$/);
    const listeners = [
      "--http",
      "127.0.0.1:0",
      "--coordinator",
      "127.0.0.1:0",
      "--peer",
      "127.0.0.1:0",
    ];
    const server = spawn(bin, ["start", "--data", path.join(folder, "data"), ...listeners], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    try {
      const [line] = (await once(server.stdout, "data")) as [Buffer];
      const url = /http=(\S+)/.exec(line.toString())?.[1] as string;
      const shipped = spawnSync(bin, ["ship", "--url", url, "--stream", "service=packed", "-"], {
        input: "one line from a tarball\n",
      });
      assert.equal(shipped.status, 0, shipped.stderr.toString());
      const found = spawnSync(bin, ["search", "tarball", "--url", url, "--output", "ndjson"]);
      assert.match(found.stdout.toString(), /"_msg":"one line from a tarball"/);
      const page = await (await fetch(`${url}/`, { headers: { accept: "text/html" } })).text();
      assert.match(page, /<script type="module"/);
    } finally {
      const exited = once(server, "exit");
      server.kill("SIGTERM");
      await exited;
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
