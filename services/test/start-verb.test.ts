import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

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

test("a node that is stopped before it says that it is ready hands over the shards that it serves already", async () => {
  const dir = mkdtempSync(join(tmpdir(), "logkeep-early-stop-"));
  const free = "127.0.0.1:0";
  const begin = (id: number, ...args: readonly string[]) => {
    const listeners = ["--http", free, "--coordinator", free];
    const node = ["start", "--node-id", String(id), "--data", join(dir, String(id)), ...listeners];
    const child = spawn(bin, [...node, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, LOGKEEP_CLUSTER_SECRET: "a-secret-that-is-long-enough" },
    });
    let said = "";
    child.stdout.on("data", (text: Buffer) => {
      said += String(text);
    });
    child.stderr.on("data", (text: Buffer) => {
      said += String(text);
    });
    return { child, said: () => said };
  };
  const until = async (node: ReturnType<typeof begin>, what: RegExp): Promise<void> => {
    const endMs = performance.now() + 60_000;
    while (!what.test(node.said())) {
      assert.ok(performance.now() < endMs, node.said());
      await sleep(20);
    }
  };
  const end = async ({ child }: ReturnType<typeof begin>): Promise<number | null> => {
    if (child.exitCode !== null) return child.exitCode;
    const closed = once(child, "close");
    child.kill("SIGTERM");
    const late = setTimeout(() => child.kill("SIGKILL"), 60_000);
    await closed;
    clearTimeout(late);
    return child.exitCode;
  };
  const peer = await freeAddress();
  const first = begin(1, "--peer", peer);
  await until(first, /logkeep ready/);
  const second = begin(2, "--peer", free, "--join", peer);
  try {
    await until(second, /"kind":"serving"|logkeep ready/);
    assert.equal(await end(second), 0, second.said());
    // What it served is handed over by a write at the coordinator, to which its session must be open then.
    assert.doesNotMatch(second.said(), /could not be looked at|outcome of a change is unknown/);
  } finally {
    await end(second);
    assert.equal(await end(first), 0, first.said());
    rmSync(dir, { recursive: true });
  }
});

/** One that nobody listens on. */
async function freeAddress(): Promise<string> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  await new Promise((resolve) => server.close(resolve));
  return address;
}
