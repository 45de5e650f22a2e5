import assert from "node:assert/strict";
import test from "node:test";

import {
  PathRequest,
  ReconfigRequest,
  SetDataRequest,
  WatchedRequest,
} from "../src/wire/records.ts";
import { TestEnsemble, until } from "./ensemble-harness.ts";
import { eventOf, RawClient } from "./server-harness.ts";

test("three members elect a leader and answer alike", async (context) => {
  const ensemble = new TestEnsemble(context, [1, 2, 3]);
  await ensemble.startAll();
  const leader = await ensemble.serving();
  const clients = await Promise.all([1, 2, 3].map((id) => ensemble.client(context, id)));
  for (const [at, client] of clients.entries()) {
    assert.equal(await client.create(`/by-${at + 1}`), `/by-${at + 1}`);
  }
  for (const client of clients) {
    assert.equal((await client.ask("sync", PathRequest, { path: "/" })).error, "OK");
    for (const id of [1, 2, 3]) assert.ok(await client.exists(`/by-${id}`));
  }
  assert.equal(await clients[0]!.create("/by-2"), "NODEEXISTS");
  const zxids = (): number =>
    new Set([1, 2, 3].map((id) => ensemble.get(id).stats().zxidLast)).size;
  await until("all have applied the same", () => zxids() === 1);
  assert.deepEqual(ensemble.in("leader"), [leader]);
  assert.deepEqual(ensemble.failures, []);
});

test("what was acknowledged outlives its leader, and who was away catches up", async (context) => {
  const ensemble = new TestEnsemble(context, [1, 2, 3]);
  await ensemble.startAll();
  const first = await ensemble.serving();
  const before = await ensemble.client(context, first);
  assert.equal(await before.create("/first"), "/first");
  await ensemble.stop(first);
  const second = await ensemble.serving();
  assert.notEqual(second, first);
  const after = await ensemble.client(context, second);
  assert.ok(await after.exists("/first"));
  assert.equal(await after.create("/second"), "/second");
  await ensemble.start(first);
  await ensemble.serving();
  const back = await ensemble.client(context, first);
  await back.ask("sync", PathRequest, { path: "/" });
  assert.ok(await back.exists("/second"));
  assert.deepEqual(ensemble.failures, []);
});

test("a member far behind gets a snapshot", async (context) => {
  const ensemble = new TestEnsemble(context, [1, 2, 3], { snapCount: 200 });
  await ensemble.startAll();
  const leader = await ensemble.serving();
  const away = ensemble.in("follower")[0]!;
  await ensemble.stop(away);
  const client = await ensemble.client(context, leader);
  for (let n = 0; n < 700; n++) assert.equal(await client.create(`/n${n}`), `/n${n}`);
  await ensemble.start(away);
  await ensemble.serving();
  const back = await ensemble.client(context, away);
  await back.ask("sync", PathRequest, { path: "/" });
  assert.ok(await back.exists("/n699"));
  // And from its own disk.
  await ensemble.stop(away);
  await ensemble.start(away);
  await ensemble.serving();
  const again = await ensemble.client(context, away);
  assert.ok(await again.exists("/n0"));
  assert.deepEqual(ensemble.failures, []);
});

test("a session moves between members, keeps its ephemerals, and ends once", async (context) => {
  const ensemble = new TestEnsemble(context, [1, 2, 3]);
  await ensemble.startAll();
  const leader = await ensemble.serving();
  const [one, other] = ensemble.in("follower") as [number, number];
  const { client, session } = await RawClient.open(context, ensemble.port(one));
  const ephemeral = 1;
  assert.equal(await client.create("/mine", ephemeral), "/mine");
  client.socket.destroy();
  const { sessionId, password } = session!;
  const moved = await RawClient.open(context, ensemble.port(other), { sessionId, password });
  assert.equal(moved.session?.sessionId, sessionId);
  assert.ok(await moved.client.exists("/mine"));
  moved.client.send("closeSession");
  assert.equal((await moved.client.answer())?.error, "OK");
  const watcher = await ensemble.client(context, leader);
  assert.equal(await watcher.exists("/mine"), false);
  const late = await RawClient.open(context, ensemble.port(one), { sessionId, password });
  assert.equal(late.session?.sessionId, 0n);
});

test("who has moved speaks where it is now, and nowhere else", async (context) => {
  const ensemble = new TestEnsemble(context, [1, 2, 3]);
  await ensemble.startAll();
  await ensemble.serving();
  const [one, other] = ensemble.in("follower") as [number, number];
  const before = await RawClient.open(context, ensemble.port(one));
  assert.equal(await before.client.create("/before"), "/before");
  const { sessionId, password } = before.session!;
  const after = await RawClient.open(context, ensemble.port(other), { sessionId, password });
  assert.equal(after.session?.sessionId, sessionId);
  assert.equal(await before.client.create("/late"), "SESSIONMOVED");
  assert.equal(await before.client.answer(), undefined);
  assert.equal(await after.client.create("/after"), "/after");
  assert.equal(await after.client.exists("/late"), false);
});

test("a silent session expires at whichever member its client was", async (context) => {
  const ensemble = new TestEnsemble(context, [1, 2, 3]);
  await ensemble.startAll();
  await ensemble.serving();
  const [one, other] = ensemble.in("follower") as [number, number];
  const silent = await RawClient.open(context, ensemble.port(one), { timeoutMs: 400 });
  assert.equal(await silent.client.create("/gone", 1), "/gone");
  const watcher = await ensemble.client(context, other);
  await watcher.ask("sync", PathRequest, { path: "/" });
  assert.ok(await watcher.exists("/gone"));
  await watcher.ask("exists", WatchedRequest, { path: "/gone", watch: true });
  const event = eventOf(await watcher.answer());
  assert.equal(event?.path, "/gone");
  assert.equal(await silent.client.answer(), undefined);
});

test("an observer serves and never votes", async (context) => {
  const ensemble = new TestEnsemble(context, [1, 2], {}, [9]);
  await ensemble.startAll();
  await ensemble.serving();
  assert.deepEqual(ensemble.in("observer"), [9]);
  const client = await ensemble.client(context, 9);
  assert.equal(await client.create("/seen"), "/seen");
  const data = Buffer.from("x");
  const set = await client.ask("setData", SetDataRequest, { path: "/seen", data, version: 0 });
  assert.equal(set.error, "OK");
  assert.ok(await client.exists("/seen"));
});

test("a minority closes its clients, and reads are served where that is allowed", async (context) => {
  const ensemble = new TestEnsemble(context, [1, 2, 3], { readOnlyMode: true });
  await ensemble.startAll();
  const leader = await ensemble.serving();
  const client = await ensemble.client(context, leader);
  await client.create("/kept");
  for (const id of ensemble.in("follower")) await ensemble.stop(id);
  assert.equal(await client.answer(), undefined);
  await until("it reads only", () => ensemble.in("read-only").length === 1);
  const refused = await RawClient.open(context, ensemble.port(leader), { readOnly: false });
  assert.equal(refused.session, undefined);
  const reader = await RawClient.open(context, ensemble.port(leader), { readOnly: true });
  assert.equal(reader.session?.readOnly, true);
  assert.ok(await reader.client.exists("/kept"));
  assert.equal(await reader.client.create("/not"), "NOTREADONLY");
});

test("a member joins, another leaves, and writes go on", async (context) => {
  const superDigest = "super:D/InIHSb7yEEbrWz8b9l71RjZJU=";
  const ensemble = new TestEnsemble(context, [1, 2, 3], { superDigest });
  await ensemble.startAll();
  const leader = await ensemble.serving();
  const client = await ensemble.client(context, ensemble.in("follower")[0]!);
  assert.equal(await client.create("/before"), "/before");
  const read = { path: "/zookeeper/config", watch: false };
  const first = await client.ask("getData", WatchedRequest, read);
  assert.ok(first.body.buffer()!.toString().endsWith("\nversion=100000000"));
  const none = { joining: null, leaving: null, members: null, fromConfig: -1n };
  assert.equal((await client.ask("reconfig", ReconfigRequest, none)).error, "NOAUTH");
  assert.equal(await client.authenticate("super:test"), "OK");
  await ensemble.startJoining(4);
  const joining = ensemble.lineOf(4);
  const join = await client.ask("reconfig", ReconfigRequest, { ...none, joining });
  assert.equal(join.error, "OK");
  const text = join.body.buffer()!.toString();
  assert.ok(text.includes(joining), text);
  await until("the new member serves", () => ensemble.get(4).mode === "follower");
  const leaving = String(leader);
  // The leader goes, and with it everyone's connection: whether the answer comes before is open.
  client.send("reconfig", ReconfigRequest, { ...none, leaving });
  await client.answer();
  await until("another leads", () => {
    const [next] = ensemble.in("leader");
    return next !== undefined && next !== leader;
  });
  await ensemble.stop(leader);
  await ensemble.serving();
  const at = await ensemble.client(context, 4);
  assert.equal(await at.create("/after"), "/after");
  assert.ok(await at.exists("/before"));
  assert.deepEqual(ensemble.failures, []);
  // All of them know it after a restart, whatever their files say.
  await ensemble.stopAll();
  await Promise.all([1, 2, 3, 4].filter((id) => id !== leader).map((id) => ensemble.start(id)));
  await ensemble.serving();
  const again = await ensemble.client(context, 4);
  const config = await again.ask("getData", WatchedRequest, read);
  const shown = config.body.buffer()!.toString();
  assert.ok(shown.includes(joining) && !shown.includes(`server.${leader}=`), shown);
});

test("a member that was removed joins again with the directory and the file that it had", async (context) => {
  const superDigest = "super:D/InIHSb7yEEbrWz8b9l71RjZJU=";
  const ensemble = new TestEnsemble(context, [1, 2, 3], { superDigest });
  await ensemble.startAll();
  const gone = (await ensemble.serving()) === 3 ? 2 : 3;
  const stay = [1, 2, 3].filter((id) => id !== gone);
  const client = await ensemble.client(context, stay[0]!);
  assert.equal(await client.authenticate("super:test"), "OK");
  const none = { joining: null, leaving: null, members: null, fromConfig: -1n };
  const removal = { ...none, leaving: String(gone) };
  assert.equal((await client.ask("reconfig", ReconfigRequest, removal)).error, "OK");
  // It knows that it is no member, and keeps that.
  const read = { path: "/zookeeper/config", watch: false };
  await until("it knows that it is removed", async () => {
    const { client: own, session } = await RawClient.open(context, ensemble.port(gone));
    if (session === undefined) return false;
    const { body } = await own.ask("getData", WatchedRequest, read);
    return !body.buffer()!.toString().includes(`server.${gone}=`);
  });
  await ensemble.stop(gone);
  assert.equal(await client.create("/meanwhile"), "/meanwhile");
  await ensemble.start(gone);
  await until("it follows", () => ensemble.get(gone).mode === "follower");
  const leader = await ensemble.serving();
  const other = stay.find((id) => id !== leader)!;
  const joining = `${ensemble.lineOf(gone)};127.0.0.1:24888`;
  const at = await ensemble.client(context, leader);
  assert.equal(await at.authenticate("super:test"), "OK");
  const joined = await at.ask("reconfig", ReconfigRequest, { ...none, joining });
  assert.equal(joined.error, "OK", joined.error);
  // Its word counts again: without the other one these two are a quorum.
  await ensemble.stop(other);
  await ensemble.serving();
  const own = await ensemble.client(context, gone);
  assert.ok(await own.exists("/meanwhile"));
  assert.equal(await own.create("/with-it"), "/with-it");
  assert.deepEqual(ensemble.failures, []);
});

test("a local session costs no txn until it makes an ephemeral", async (context) => {
  const options = { localSessions: true, localSessionUpgrades: true };
  const ensemble = new TestEnsemble(context, [1, 2, 3], options);
  await ensemble.startAll();
  const leader = await ensemble.serving();
  const follower = ensemble.in("follower")[0]!;
  const zxid = ensemble.get(leader).stats().zxidLast;
  for (const id of [leader, follower]) {
    const { client, session } = await RawClient.open(context, ensemble.port(id));
    assert.notEqual(session?.sessionId, 0n);
    assert.equal(ensemble.get(leader).stats().zxidLast, id === leader ? zxid : zxid + 3);
    assert.equal(await client.create(`/plain-${id}`), `/plain-${id}`);
    // Its creation, and the znode.
    assert.equal(await client.create(`/mine-${id}`, 1), `/mine-${id}`);
    assert.equal(ensemble.get(leader).stats().zxidLast, zxid + (id === leader ? 3 : 6));
  }
  const { client } = await RawClient.open(context, ensemble.port(follower));
  client.send("closeSession");
  assert.equal((await client.answer())?.error, "OK");
  assert.equal(await client.answer(), undefined);
  assert.equal(ensemble.get(leader).stats().zxidLast, zxid + 6);
});

test("where local sessions are not upgraded, they make no ephemeral", async (context) => {
  const ensemble = new TestEnsemble(context, [1, 2, 3], { localSessions: true });
  await ensemble.startAll();
  await ensemble.serving();
  const silent = await RawClient.open(context, ensemble.port(1), { timeoutMs: 400 });
  assert.equal(await silent.client.create("/mine", 1), "EPHEMERALONLOCALSESSION");
  assert.equal(await silent.client.create("/plain"), "/plain");
  // And they expire.
  assert.equal(await silent.client.answer(), undefined);
});
