import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import path from "node:path";
import test from "node:test";
import { Service, temporaryFolder } from "../service.ts";
import { root } from "../suites.ts";

const bin = path.join(root, "services/bin/logkeep");

/** Runs `logkeep` to its end. */
function run(args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(bin, args, { timeout: 120_000 });
  return { status, stdout: stdout.toString(), stderr: stderr.toString() };
}

const anywhere = ["--http", "0.0.0.0:0", "--coordinator", "127.0.0.1:0", "--peer", "127.0.0.1:0"];

test("listening beyond loopback without keys is refused with what mends it, by listener", () => {
  const { status, stdout, stderr } = run(["start", "--data", temporaryFolder(), ...anywhere]);
  assert.equal(status, 1);
  assert.equal(stdout, "");
  assert.match(stderr, /needs an API key first/);
  assert.match(stderr, /http\.listen 0\.0\.0\.0:.*needs/);
  assert.match(stderr, /^ {2}logkeep start … --set auth\.adminKeyFile=admin\.key$/m);
  assert.match(stderr, /^ {2}logkeep keys create admin --scope admin/m);
});

test("with a key it listens, and then each request needs one that allows it", async () => {
  const dataDir = temporaryFolder();
  const first = await Service.start({ dataDir });
  const made = run(["keys", "create", "admin", "--scope", "admin", "--url", first.http]);
  const reader = run(["keys", "create", "dashboards", "--scope", "read", "--url", first.http]);
  assert.equal(made.status, 0, made.stderr);
  const token = /lk_[0-9a-f]{16}_[0-9a-f]{64}/.exec(made.stdout)?.[0] as string;
  const readToken = /lk_[0-9a-f]{16}_[0-9a-f]{64}/.exec(reader.stdout)?.[0] as string;
  await first.stop();

  const service = await Service.start({ dataDir, args: ["--http", "0.0.0.0:0"] });
  const url = service.http.replace("0.0.0.0", "127.0.0.1");
  const ask = async (authorization?: string): Promise<number> => {
    const headers = authorization === undefined ? {} : { authorization };
    return (await fetch(`${url}/api/v1/query?query=*`, { headers })).status;
  };
  const ship = async (authorization: string): Promise<number> => {
    const headers = { authorization, "content-type": "text/plain" };
    return (await fetch(`${url}/api/v1/logs`, { method: "POST", headers, body: "x\n" })).status;
  };
  assert.equal(await ask(), 401);
  assert.equal(await ask(`Bearer ${token}`), 200);
  assert.equal(await ask(`ApiKey ${token}`), 200);
  assert.equal(await ask(`Basic ${Buffer.from(`admin:${token}`).toString("base64")}`), 200);
  assert.equal(await ask(`Bearer ${readToken}`), 200);
  assert.equal(await ship(`Bearer ${readToken}`), 403);
  assert.equal(await ship(`Bearer ${token}`), 200);
  assert.equal((await fetch(`${url}/readyz`)).status, 200);
  assert.equal(await service.stop(), 0);
});

test("--insecure-listen listens without keys, and warns", async () => {
  const service = await Service.start({ args: ["--http", "0.0.0.0:0", "--insecure-listen"] });
  const url = service.http.replace("0.0.0.0", "127.0.0.1");
  assert.equal((await fetch(`${url}/api/v1/query?query=*`)).status, 200);
  await service.logged(/anybody who reaches this listener may do anything/);
  await service.stop();
});
