import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import test from "node:test";

const bin = resolve(import.meta.dirname, "../bin/logkeep");

for (const flag of ["--http", "--coordinator"] as const) {
  test(`a taken address is told with ${flag}, which chooses another`, async () => {
    const dir = mkdtempSync(join(tmpdir(), "logkeep-taken-"));
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const taken = `127.0.0.1:${(other.address() as AddressInfo).port}`;
    const free = flag === "--http" ? "--coordinator" : "--http";
    const args = ["start", "--data", dir, "--peer", "127.0.0.1:0", free, "127.0.0.1:0"];
    const child = spawn(bin, [...args, flag, taken], { stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
    const [code] = (await once(child, "close")) as [number | null];
    other.close();
    rmSync(dir, { recursive: true });
    assert.equal(code, 1);
    assert.ok(
      said.endsWith(
        `logkeep: cannot listen on ${taken}: another process listens there; ${flag} HOST:PORT chooses another address\n`,
      ),
      said,
    );
  });
}
