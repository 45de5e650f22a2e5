// Goal: what was acknowledged is there after SIGKILL, once; a paused server expires nobody.
// Method: a real child process, killed at random moments under load. LOGKEEP_ROUNDS raises the number of kills.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import test, { type TestContext } from "node:test";
import { fileURLToPath } from "node:url";

import { Prng } from "../../kit/src/prng.ts";
import { ChildrenResponse, CreateRequest, WatchedRequest } from "../src/wire/records.ts";
import { temporaryDirectory } from "./log-harness.ts";
import { delay, open, RawClient } from "./server-harness.ts";

const rounds = Number(process.env["LOGKEEP_ROUNDS"] ?? 5);
const script = fileURLToPath(new URL("server-child.ts", import.meta.url));

async function childStart(
  context: TestContext,
  ...args: readonly string[]
): Promise<{ readonly child: ChildProcess; readonly port: number }> {
  const child = spawn(process.execPath, [script, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  context.after(() => child.kill("SIGKILL"));
  const [line] = (await once(child.stdout!, "data")) as [Buffer];
  return { child, port: Number(line.toString()) };
}

async function childKill(child: ChildProcess): Promise<void> {
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}

/** Creates below `/all` with 64 in flight until the connection ends; adds what was acknowledged. */
async function load(client: RawClient, round: number, acknowledged: Set<string>): Promise<void> {
  const names = new Map<number, string>();
  let count = 0;
  const send = () => {
    const path = `/all/r${round}-${count++}`;
    const data = Buffer.from(path);
    names.set(client.send("create", CreateRequest, { path, data, acl: open, flags: 0 }), path);
  };
  for (let i = 0; i < 64; i++) send();
  for (let answer = await client.answer(); answer !== undefined; answer = await client.answer()) {
    if (answer.error === "OK") acknowledged.add(names.get(answer.xid) as string);
    send();
  }
}

test(`${rounds} kills under load lose nothing that was acknowledged and repeat nothing`, async (context) => {
  const dataDir = temporaryDirectory(context);
  const prng = new Prng(77);
  const acknowledged = new Set<string>();
  // On a slow disk a round may end before its first answer: then there are more of them.
  for (let round = 0; round < rounds || acknowledged.size <= rounds; round++) {
    assert(round < 20 * rounds, `only ${acknowledged.size} were acknowledged`);
    const { child, port } = await childStart(context, dataDir, "100", "500");
    const { client } = await RawClient.open(context, port);
    await client.create("/all");
    const loading = load(client, round, acknowledged);
    await delay(20 + prng.below(150));
    await childKill(child);
    await loading;
  }
  const { port } = await childStart(context, dataDir);
  const { client } = await RawClient.open(context, port);
  const { body } = await client.ask("getChildren", WatchedRequest, { path: "/all", watch: false });
  const { children } = ChildrenResponse.read(body);
  const found = new Set(children);
  assert.equal(found.size, children.length);
  const lost = [...acknowledged].filter((path) => !found.has(path.slice("/all/".length)));
  assert.deepEqual(lost, []);
  context.diagnostic(`${acknowledged.size} acknowledged creates, ${children.length} found`);
});

test("a server that was paused for longer than every timeout expires nobody", async (context) => {
  const { child, port } = await childStart(context, temporaryDirectory(context), "100");
  const { client } = await RawClient.open(context, port, { timeoutMs: 2000 });
  await client.create("/e", 1);
  child.kill("SIGSTOP");
  await delay(3000);
  child.kill("SIGCONT");
  // What the clock says after a pause may not count, not even once: an expiry would commit by the second look.
  for (let looks = 0; looks < 6; looks++) {
    assert.equal(await client.exists("/e"), true);
    await delay(50);
  }
});
