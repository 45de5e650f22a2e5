import assert from "node:assert/strict";
import { createServer } from "node:net";
import { after, before, beforeEach, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { ZooKeeperClient } from "../src/client/client.ts";
import type { SessionEvent } from "../src/client/session.ts";
import { CuttableProxy, openServer, type TestServer } from "./client-server.ts";

let server: TestServer;
let direct: ZooKeeperClient;
let directory: string;
let count = 0;

before(async () => {
  server = await openServer();
  const connect = server.address + server.chroot;
  direct = new ZooKeeperClient({ connect, sessionTimeoutMs: 20_000 });
});

beforeEach(async () => {
  directory = `/t${count++}`;
  await direct.create(directory);
});

after(async () => {
  await direct.close();
  await server.close();
});

interface Story {
  readonly proxy: CuttableProxy;
  readonly client: ZooKeeperClient;
  readonly events: SessionEvent[];
}

async function story(
  body: (story: Story) => Promise<void>,
  // Client, proxy and server are one process, which a busy machine may hold up for seconds.
  sessionTimeoutMs = 20_000,
): Promise<void> {
  const proxy = await CuttableProxy.open(server.address);
  const connect = proxy.address + server.chroot + directory;
  const client = new ZooKeeperClient({ connect, sessionTimeoutMs });
  const events: SessionEvent[] = [];
  client.onSession((event) => events.push(event));
  try {
    await client.connected();
    await body({ proxy, client, events });
  } finally {
    await client.close();
    await proxy.close();
  }
}

function kinds(events: readonly SessionEvent[]): string[] {
  return events.map(({ kind }) => kind);
}

/** Gives how long it took, in milliseconds; time in which this process stood still does not count. */
async function until(claim: () => boolean): Promise<number> {
  for (let waitedMs = 0; ; waitedMs += 5) {
    if (claim()) return waitedMs;
    assert.ok(waitedMs < 30_000, "it did not come to be");
    await sleep(5);
  }
}

test("a broken connection is made again with the same session", async () => {
  await story(async ({ proxy, client, events }) => {
    const { sessionId } = client;
    await client.create("/e", null, { mode: "ephemeral" });
    proxy.cut("up");
    await until(() => events.length === 3);
    assert.deepEqual(kinds(events), ["connected", "suspended", "connected"]);
    assert.equal(client.sessionId, sessionId);
    assert.notEqual(await client.exists("/e"), null);
    const last = events[2];
    assert.ok(last?.kind === "connected" && !last.isNew);
  });
});

test("what is on the wire when it breaks fails with an unknown outcome; what waits is sent later", async () => {
  await story(async ({ proxy, client, events }) => {
    proxy.hold();
    const lost = assert.rejects(client.create("/lost"), {
      code: "CONNECTIONLOSS",
      isOutcomeUnknown: true,
      path: "/lost",
    });
    await sleep(50);
    proxy.cut("down");
    await until(() => kinds(events).includes("suspended"));
    const waiting = client.create("/waiting");
    proxy.up();
    await lost;
    assert.equal((await waiting).path, "/waiting");
  });
});

test("a silent server is given up within the session's timeout", async () => {
  // After five sixths of it at the latest.
  await story(async ({ proxy, client, events }) => {
    proxy.hold();
    const tookMs = await until(() => kinds(events).includes("suspended"));
    assert.ok(tookMs < client.sessionTimeoutMs, `${tookMs} ms`);
    proxy.cut("up");
    proxy.up();
    await client.connected();
  }, 6_000);
});

test("after expiry there is a new session, said by events, and what waited fails", async () => {
  await story(async ({ proxy, client, events }) => {
    const first = client.sessionId;
    await client.create("/e", null, { mode: "ephemeral" });
    const seen: string[] = [];
    await client.getData("/e", { watch: (event) => seen.push(`once ${event.kind}`) });
    await client.addWatch("/", "persistentRecursive", ({ kind }) => seen.push(`all ${kind}`));
    proxy.cut("down");
    await until(() => kinds(events).includes("suspended"));
    const waited = assert.rejects(client.sync(), { code: "SESSIONEXPIRED" });
    while ((await direct.exists(`${directory}/e`)) !== null) await sleep(20);
    proxy.up();
    await waited;
    await client.connected();
    assert.deepEqual(kinds(events), [
      ...["connected", "suspended", "lapsed", "expired", "connected"],
    ]);
    assert.notEqual(client.sessionId, first);
    assert.deepEqual(seen, ["once missed", "all missed"]);
    // The watches are set ahead of any request of this connection, but not of another's.
    await client.sync();
    await direct.create(`${directory}/new`);
    await client.sync();
    assert.deepEqual(seen, ["once missed", "all missed", "all created"]);
  }, 2_000);
});

test("one-shot watches get what they missed, persistent ones are told that they missed something", async () => {
  await story(async ({ proxy, client, events }) => {
    await client.create("/w");
    const seen: string[] = [];
    await client.getData("/w", { watch: ({ kind, path }) => seen.push(`data ${kind} ${path}`) });
    await client.getChildren("/w", {
      watch: ({ kind, path }) => seen.push(`kids ${kind} ${path}`),
    });
    await client.exists("/n", { watch: ({ kind, path }) => seen.push(`exists ${kind} ${path}`) });
    await client.create("/p");
    await client.addWatch("/p", "persistent", ({ kind, path }) => seen.push(`all ${kind} ${path}`));
    proxy.cut("down");
    await until(() => kinds(events).includes("suspended"));
    await direct.setData(`${directory}/w`, Buffer.from("x"));
    await direct.setData(`${directory}/p`, Buffer.from("x"));
    await direct.create(`${directory}/w/kid`);
    await direct.create(`${directory}/n`);
    proxy.up();
    await client.connected();
    await client.sync();
    assert.deepEqual(seen.toSorted(), [
      "all missed /p",
      "data dataChanged /w",
      "exists created /n",
      "kids childrenChanged /w",
    ]);
    seen.length = 0;
    await direct.setData(`${directory}/p`, Buffer.from("y"));
    await client.sync();
    assert.deepEqual(seen, ["all dataChanged /p"]);
  });
});

test("identities are given to the next connection too", async () => {
  await story(async ({ proxy, client, events }) => {
    await client.addAuth("digest", "u:p");
    await client.create("/mine", null, { acl: [{ perms: 31, id: { scheme: "auth", id: "" } }] });
    proxy.cut("up");
    await until(() => events.length === 3);
    await client.setData("/mine", Buffer.from("x"));
  });
});

test("a server that is down is left for the next one", async () => {
  const dead = await CuttableProxy.open(server.address);
  dead.cut("down");
  const client = new ZooKeeperClient({
    connect: `${dead.address},${server.address}`,
    random: () => 0,
  });
  await client.connected({ signal: AbortSignal.timeout(60_000) });
  await client.close();
  await dead.close();
});

test("a client that never reached a server closes at once and fails what waited", async () => {
  const client = new ZooKeeperClient({ connect: "127.0.0.1:1" });
  const waiting = assert.rejects(client.sync(), { code: "CLOSED" });
  await sleep(20);
  await client.close();
  await waiting;
});

test("a client that is closed while it connects leaves no connection behind", async () => {
  let opened = 0;
  const silent = createServer((socket) => {
    opened++;
    socket.resume();
    socket.on("error", () => undefined);
  });
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  const { port } = silent.address() as { port: number };
  const client = new ZooKeeperClient({ connect: `127.0.0.1:${port}` });
  await until(() => opened === 1);
  await client.close();
  await sleep(100);
  assert.equal(opened, 1);
  await new Promise((resolve) => silent.close(resolve));
});

test("more requests than may wait are refused with BUSY", async () => {
  const client = new ZooKeeperClient({ connect: "127.0.0.1:1" });
  const body = Buffer.alloc(1_000_000);
  const calls = Array.from({ length: 80 }, () => client.setData("/a", body));
  const outcomes = Promise.allSettled(calls);
  await client.close();
  const codes = (await outcomes).map((each) =>
    each.status === "rejected" ? each.reason.code : "fine",
  );
  assert.equal(codes.filter((code) => code === "BUSY").length, 13);
  assert.equal(codes.filter((code) => code === "CLOSED").length, 67);
});
