import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import test, { type TestContext } from "node:test";
import { ZooKeeperClient } from "../../coordinator/src/client/client.ts";

const bin = path.resolve(import.meta.dirname, "../bin/logkeep");

interface Started {
  readonly child: ChildProcess;
  /** `host:port` once it serves; undefined when it ended instead. */
  readonly address: string | undefined;
  readonly errors: string;
}

async function start(context: TestContext, directory: string, lines = ""): Promise<Started> {
  const cfg = path.join(directory, "zoo.cfg");
  writeFileSync(cfg, `dataDir=${path.join(directory, "data")}\nclientPort=0\n${lines}`);
  const child = spawn(bin, ["coordinator", "--config", cfg], { stdio: ["ignore", "pipe", "pipe"] });
  context.after(() => child.kill("SIGKILL"));
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  const ready = Promise.withResolvers<string | undefined>();
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
    const address = /^logkeep coordinator ready client=(\S+)\n/.exec(output)?.[1];
    if (address !== undefined) ready.resolve(address);
  });
  child.once("close", () => ready.resolve(undefined));
  return { child, address: await ready.promise, errors };
}

function temporaryDirectory(context: TestContext): string {
  const directory = mkdtempSync(path.join(os.tmpdir(), "logkeep-verb-"));
  context.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

async function end(child: ChildProcess, signal: "SIGTERM" | "SIGKILL"): Promise<number | null> {
  const exited = once(child, "exit");
  child.kill(signal);
  return (await exited)[0] as number | null;
}

test("a coordinator from a zoo.cfg keeps its znodes over SIGKILL, and ends on SIGTERM", async (context) => {
  const directory = temporaryDirectory(context);
  const first = await start(context, directory);
  const client = new ZooKeeperClient({ connect: first.address as string });
  await client.create("/kept", Buffer.from("x"));
  await end(first.child, "SIGKILL");
  await client.close();
  const second = await start(context, directory);
  const again = new ZooKeeperClient({ connect: second.address as string });
  assert.deepEqual((await again.getData("/kept")).data, Buffer.from("x"));
  await again.close();
  assert.equal(await end(second.child, "SIGTERM"), 0);
});

test("a second coordinator on one data directory is refused, and the first goes on", async (context) => {
  const directory = temporaryDirectory(context);
  const first = await start(context, directory);
  const second = await start(context, directory);
  assert.equal(second.address, undefined);
  assert.equal(second.child.exitCode, 1);
  assert.match(second.errors, /another process uses this data directory/);
  assert.equal(await end(first.child, "SIGTERM"), 0);
});

test("a secure port beyond loopback that asks for no certificate is refused", async (context) => {
  const directory = temporaryDirectory(context);
  const store = path.join(directory, "k.pem");
  writeFileSync(store, "-----BEGIN PRIVATE KEY-----");
  const lines = ["secureClientPort=0", "secureClientPortAddress=0.0.0.0", "ssl.clientAuth=want"];
  const all = [...lines, `ssl.keyStore.location=${store}`].join("\n");
  const { child, address, errors } = await start(context, directory, all);
  assert.deepEqual([address, child.exitCode], [undefined, 1]);
  assert.match(errors, /the secure port is beyond loopback: set ssl\.clientAuth=need/);
});

test("with skipACL=yes everyone may do everything", async (context) => {
  const directory = temporaryDirectory(context);
  const closed = [{ perms: 0, id: { scheme: "digest", id: "nobody:x" } }];
  const first = await start(context, directory);
  const client = new ZooKeeperClient({ connect: first.address as string });
  await client.create("/closed", Buffer.from("x"), { acl: closed });
  await assert.rejects(client.getData("/closed"), { code: "NOAUTH" });
  await client.close();
  await end(first.child, "SIGTERM");
  const second = await start(context, directory, "skipACL=yes");
  const again = new ZooKeeperClient({ connect: second.address as string });
  await again.setData("/closed", Buffer.from("y"));
  assert.deepEqual((await again.getData("/closed")).data, Buffer.from("y"));
  await again.close();
});

test("a client port where a server line says it listens there, and beyond loopback is refused", async (context) => {
  const directory = temporaryDirectory(context);
  mkdirSync(path.join(directory, "data"));
  writeFileSync(path.join(directory, "data", "myid"), "1");
  const lines = "standaloneEnabled=false\nserver.1=127.0.0.1:1:2:participant;0.0.0.0:2181";
  const { child, address, errors } = await start(context, directory, lines);
  assert.deepEqual([address, child.exitCode], [undefined, 1]);
  assert.match(errors, /the client port at 0\.0\.0\.0 is beyond loopback/);
});
