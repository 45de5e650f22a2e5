import assert from "node:assert/strict";
import test from "node:test";

import { SessionIds, sessionPassword } from "../src/server/session-ids.ts";
import { LiveSessions } from "../src/server/sessions-live.ts";
import { temporaryDirectory } from "./log-harness.ts";
import { delay, RawClient, serve } from "./server-harness.ts";

test("a timeout is negotiated between two and twenty ticks", async (context) => {
  const { address } = await serve(context);
  for (const [wanted, given] of [
    [1, 200],
    [1000, 1000],
    [1_000_000, 2000],
  ] as const) {
    const { session } = await RawClient.open(context, address.port, { timeoutMs: wanted });
    assert.equal(session?.timeoutMs, given);
  }
});

test("an old client without the readOnly byte is answered without it", async (context) => {
  const { address } = await serve(context);
  const { session } = await RawClient.open(context, address.port, { readOnly: undefined });
  assert.equal(session?.readOnly, undefined);
  assert.notEqual(session?.sessionId, 0n);
});

test("a session moves to a new connection by its id and password, with its ephemerals", async (context) => {
  const { address } = await serve(context);
  const first = await RawClient.open(context, address.port);
  await first.client.create("/e", 1);
  const { sessionId, password } = first.session!;
  const second = await RawClient.open(context, address.port, { sessionId, password });
  assert.equal(second.session?.sessionId, sessionId);
  assert.equal(await second.client.exists("/e"), true);
  assert.equal(await first.client.answer(), undefined, "the old connection is closed");
});

test("a wrong password or an unknown session is told so and closed; the session lives on", async (context) => {
  const { address } = await serve(context);
  const first = await RawClient.open(context, address.port);
  const { sessionId, password } = first.session!;
  for (const request of [
    { sessionId, password: Buffer.alloc(16, 1) },
    { sessionId, password: Buffer.alloc(3) },
    { sessionId, password: null },
    { sessionId: sessionId + 1n, password },
  ]) {
    const { client, session } = await RawClient.open(context, address.port, request);
    assert.deepEqual([session?.timeoutMs, session?.sessionId], [0, 0n]);
    assert.equal(await client.answer(), undefined);
  }
  assert.equal(await first.client.exists("/"), true);
});

test("a client that has seen a later zxid is closed without an answer", async (context) => {
  const { address } = await serve(context);
  const { session } = await RawClient.open(context, address.port, { lastZxidSeen: 1n << 40n });
  assert.equal(session, undefined);
});

test("a silent session ends after its timeout, and its ephemerals with it", async (context) => {
  const coordinator = await serve(context, { tickTimeMs: 200 });
  const { port } = coordinator.address;
  const watcher = await RawClient.open(context, port, { timeoutMs: 4000 });
  const { client } = await RawClient.open(context, port, { timeoutMs: 1000 });
  await client.create("/e", 1);
  for (let i = 0; i < 4; i++) {
    await delay(350);
    await client.ask("ping", undefined, undefined, -2);
    await watcher.client.ask("ping", undefined, undefined, -2);
  }
  assert.equal(await watcher.client.exists("/e"), true, "pings kept it");
  const from = performance.now();
  client.socket.pause();
  while (await watcher.client.exists("/e")) await delay(10);
  const lived = performance.now() - from;
  assert(lived > 600, `it ended after ${lived} ms`);
  assert.equal(coordinator.stats().sessionsExpired, 1);
});

test("a closed session is answered, then its connection is closed and its ephemerals are gone", async (context) => {
  const { address } = await serve(context);
  const { client, session } = await RawClient.open(context, address.port);
  await client.create("/e", 1);
  const { error } = await client.ask("closeSession");
  assert.equal(error, "OK");
  assert.equal(await client.answer(), undefined);
  const other = await RawClient.open(context, address.port);
  assert.equal(await other.client.exists("/e"), false);
  const { sessionId, password } = session!;
  const again = await RawClient.open(context, address.port, { sessionId, password });
  assert.equal(again.session?.sessionId, 0n);
});

test("requests sent together with the ConnectRequest are answered after it, in order", async (context) => {
  const { address } = await serve(context);
  const client = new RawClient(address.port);
  context.after(() => client.socket.destroy());
  const connect = "00000000" + "0".repeat(16) + "00001388" + "0".repeat(16) + "ffffffff";
  client.frame(Buffer.from(connect, "hex"));
  for (let i = 0; i < 5; i++) client.send("ping");
  await client.frameNext();
  for (let xid = 1; xid <= 5; xid++) assert.equal((await client.answer())?.xid, xid);
});

test("sessions and ephemerals outlive a restart, and expire after it", async (context) => {
  const dataDir = temporaryDirectory(context);
  const first = await serve(context, { dataDir, tickTimeMs: 400 });
  const lost = await RawClient.open(context, first.address.port, { timeoutMs: 2000 });
  const kept = await RawClient.open(context, first.address.port, { timeoutMs: 8000 });
  await lost.client.create("/lost", 1);
  await kept.client.create("/kept", 1);
  await first.close();
  const second = await serve(context, { dataDir, tickTimeMs: 400 });
  const { sessionId, password } = kept.session!;
  const { client, session } = await RawClient.open(context, second.address.port, {
    sessionId,
    password,
    timeoutMs: 8000,
  });
  assert.equal(session?.sessionId, sessionId);
  assert.equal(await client.exists("/lost"), true, "a new leader grants the whole timeout");
  while (await client.exists("/lost")) await delay(20);
  assert.equal(await client.exists("/kept"), true);
});

test("a session is due only after its timeout without a word, counted in steps", () => {
  const live = new LiveSessions(100);
  live.track(1n, 400);
  live.track(2n, 400);
  for (let step = 1; step <= 4; step++) {
    assert.deepEqual(live.advance(), []);
    live.hear(2n);
  }
  assert.deepEqual(live.advance(), [1n]);
  assert.equal(live.size, 1);
  live.track(2n, 1000);
  for (let step = 0; step < 10; step++) assert.deepEqual(live.advance(), []);
  live.remove(2n);
  for (let step = 0; step < 10; step++) assert.deepEqual(live.advance(), []);
});

test("session ids carry the server's id and never repeat; passwords are Apache's", () => {
  const ids = new SessionIds(7, 1_795_000_000_000);
  const [a, b] = [ids.next(), ids.next()];
  assert.equal(a >> 56n, 7n);
  assert.equal(b - a, 1n);
  // Printed by a JVM: the bytes of `new Random(id ^ 0xB3415C00L)`.
  for (const [id, password] of [
    [42n, "c813ee495620c3a68794ef27a239e8a9"],
    [117652605312172033n, "1dcc708d6f4cde43ed6089c10464caa6"],
    [-5n, "d47144b5e45e45c49c3b7fdcd66257ba"],
  ] as const) {
    assert.equal(sessionPassword(id).toString("hex"), password);
  }
  assert.notDeepEqual(sessionPassword(a), sessionPassword(b));
  assert(new SessionIds(255, 1_795_000_000_000).next() < 0n, "a long is signed");
});
