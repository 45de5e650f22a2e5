// Goal: over an ensemble the client keeps its session when members go, reads what was written anywhere, reads alone where
// nobody can write, and changes who the members are.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";

import { ZooKeeperClient } from "../src/client/client.ts";
import type { ClientOptions } from "../src/client/options.ts";
import type { SessionEvent } from "../src/client/session-events.ts";
import { Lock } from "../src/recipes/lock.ts";
import { DataResponse, WatchedRequest } from "../src/wire/records.ts";
import { TestEnsemble, until } from "./ensemble-harness.ts";
import { delay, RawClient } from "./server-harness.ts";

const ids = [1, 2, 3];

function addresses(ensemble: TestEnsemble, which: readonly number[]): string {
  return which.map((id) => `127.0.0.1:${ensemble.port(id)}`).join();
}

function open(
  context: TestContext,
  connect: string,
  options: Omit<ClientOptions, "connect"> = {},
): { readonly client: ZooKeeperClient; readonly events: SessionEvent[] } {
  const client = new ZooKeeperClient({ connect, sessionTimeoutMs: 4_000, ...options });
  context.after(() => client.close());
  const events: SessionEvent[] = [];
  client.onSession((event) => events.push(event));
  return { client, events };
}

test("a session outlives the member that it is connected to, and with it what it holds", async (context) => {
  const ensemble = new TestEnsemble(context, ids);
  await ensemble.startAll();
  await ensemble.serving();
  const { client, events } = open(context, addresses(ensemble, ids));
  const lock = new Lock({ client, path: "/lock", lostWhen: "lapsed" });
  const hold = await lock.acquire();
  const { sessionId } = client;
  const seen: string[] = [];
  await client.addWatch("/", "persistentRecursive", ({ kind }) => seen.push(kind));
  const at = ids.find((id) => client.ensemble.server === `127.0.0.1:${ensemble.port(id)}`);
  await ensemble.stop(at!);
  await until(
    "it is connected again",
    () => events.at(-1)?.kind === "connected" && events.length > 2,
  );
  await ensemble.serving();
  await client.create("/after");
  assert.equal(client.sessionId, sessionId);
  assert.ok(!hold.lost.aborted);
  assert.equal((await client.exists(hold.path))?.czxid, hold.token);
  assert.deepEqual(seen, ["missed", "created"]);
  await hold.release();
});

test("a linearizable read shows what was answered at another member", async (context) => {
  const ensemble = new TestEnsemble(context, ids);
  await ensemble.startAll();
  await ensemble.serving();
  const [writer, reader] = [1, 2].map((id) => open(context, addresses(ensemble, [id])).client);
  await writer!.create("/x", Buffer.from("0"));
  for (let value = 1; value <= 200; value++) {
    const { version } = await writer!.setData("/x", Buffer.from(String(value)));
    const { data, stat } = await reader!.getData("/x", { isLinearizable: true });
    assert.equal(String(data), String(value));
    assert.equal(stat.version, version);
  }
});

test("what a client has seen is never undone for it: a member that is behind does not serve it", async (context) => {
  const ensemble = new TestEnsemble(context, ids, { readOnlyMode: true });
  await ensemble.startAll();
  await ensemble.serving();
  const { client } = open(context, addresses(ensemble, ids), { canBeReadOnly: true });
  await client.create("/x", Buffer.from("old"));
  await client.sync();
  const ports = ids.map((id) => ensemble.port(id));
  const behind = ids.find((id) => client.ensemble.server !== `127.0.0.1:${ensemble.port(id)}`)!;
  const others = ids.filter((id) => id !== behind);
  await until("all have it", async () => (await ensemble.client(context, behind)).exists("/x"));
  await ensemble.stop(behind);
  await ensemble.serving();
  await client.setData("/x", Buffer.from("new"));
  assert.equal(String((await client.getData("/x")).data), "new");
  // Now only the one that was away is there, and reads alone.
  for (const id of others) await ensemble.stop(id);
  await ensemble.start(behind, { port: ports[ids.indexOf(behind)]! });
  await until("it reads only", () => ensemble.get(behind).mode === "read-only");
  const read = { path: "/x", watch: false };
  const stranger = await RawClient.open(context, ensemble.port(behind), { readOnly: true });
  const { body } = await stranger.client.ask("getData", WatchedRequest, read);
  assert.equal(String(DataResponse.read(body).data), "old", "who has seen nothing is served");
  const reading = client.getData("/x").then(({ data }) => String(data));
  assert.equal(await Promise.race([reading, delay(1_500).then(() => "none")]), "none");
  await Promise.all(others.map((id) => ensemble.start(id, { port: ports[ids.indexOf(id)]! })));
  assert.equal(await reading, "new");
});

test("without a quorum a client that may reads alone, and moves when one is there again", async (context) => {
  const ensemble = new TestEnsemble(context, ids, { readOnlyMode: true });
  await ensemble.startAll();
  const leader = await ensemble.serving();
  const connect = addresses(ensemble, [leader]);
  const { client, events } = open(context, connect, { canBeReadOnly: true });
  const strict = open(context, connect);
  await client.create("/kept", Buffer.from("x"));
  await strict.client.connected();
  const others = ids.filter((id) => id !== leader);
  for (const id of others) await ensemble.stop(id);
  await until("it only reads", () => client.isReadOnly);
  assert.deepEqual((await client.getData("/kept")).data, Buffer.from("x"));
  await assert.rejects(client.create("/not"), { code: "NOTREADONLY" });
  assert.ok(!strict.client.isConnected);
  assert.equal(events.at(-1)?.kind, "readOnly");
  // One that begins there has no session that others know.
  const late = open(context, connect, { canBeReadOnly: true });
  await late.client.connected();
  assert.ok(late.client.isReadOnly);
  assert.equal(late.client.sessionId, 0n);
  for (const id of others) await ensemble.start(id);
  await ensemble.serving();
  for (const each of [client, late.client, strict.client]) {
    each.updateServers(addresses(ensemble, ids));
  }
  await until("all may write", () =>
    [client, late.client, strict.client].every((each) => each.isConnected && !each.isReadOnly),
  );
  await client.create("/yes");
  const last = late.events.at(-1);
  assert.ok(last?.kind === "connected" && last.isNew);
});

test("a client sees who the members are, and changes them", async (context) => {
  const superDigest = "super:D/InIHSb7yEEbrWz8b9l71RjZJU=";
  const ensemble = new TestEnsemble(context, ids, { superDigest });
  await ensemble.startAll();
  const leader = await ensemble.serving();
  const { client } = open(context, `${addresses(ensemble, [leader])}/some/where`);
  const { data } = await client.ensemble.config();
  const text = String(data);
  for (const id of ids) assert.ok(text.includes(ensemble.lineOf(id)), text);
  const leaving = ids.filter((id) => id !== leader).slice(0, 1);
  await assert.rejects(client.ensemble.reconfigure({ leaving }), { code: "NOAUTH" });
  await assert.rejects(client.ensemble.reconfigure({}), { code: "BADARGUMENTS" });
  await client.addAuth("digest", "super:test");
  const late = { fromVersion: 77n };
  await assert.rejects(client.ensemble.reconfigure({ leaving }, late), { code: "BADVERSION" });
  const after = String((await client.ensemble.reconfigure({ leaving })).data);
  assert.ok(!after.includes(`server.${leaving[0]}=`), after);
  const shown = await client.ensemble.config({ isLinearizable: true });
  assert.equal(String(shown.data), after);
});
