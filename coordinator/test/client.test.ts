import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { aclCreator, digestId } from "../src/client/acl.ts";
import { ZooKeeperClient } from "../src/client/client.ts";
import { ZooKeeperError } from "../src/client/errors.ts";
import { steps } from "../src/client/multi.ts";
import { parseConnectString } from "../src/client/paths.ts";
import type { WatchEvent } from "../src/client/watches.ts";
import { openServer, type TestServer } from "./client-server.ts";

let server: TestServer;
let client: ZooKeeperClient;

before(async () => {
  server = await openServer();
  const connect = server.address + server.chroot;
  client = new ZooKeeperClient({ connect, sessionTimeoutMs: 20_000 });
  await client.connected();
});

after(async () => {
  await client.close();
  await server.close();
});

test("a znode is created, read, set, listed and deleted", async () => {
  const made = await client.create("/a", Buffer.from("one"));
  assert.equal(made.path, "/a");
  assert.equal(made.stat.version, 0);
  assert.deepEqual((await client.getData("/a")).data, Buffer.from("one"));
  const stat = await client.setData("/a", Buffer.from("two"), 0);
  assert.equal(stat.version, 1);
  assert.ok(stat.mzxid > stat.czxid);
  await client.create("/a/b");
  assert.deepEqual((await client.getChildren("/a")).children, ["b"]);
  await client.delete("/a/b");
  await client.delete("/a", 1);
  assert.equal(await client.exists("/a"), null);
});

test("null data and empty data stay apart", async () => {
  await client.create("/null", null);
  await client.create("/empty", Buffer.alloc(0));
  assert.equal((await client.getData("/null")).data, null);
  assert.deepEqual((await client.getData("/empty")).data, Buffer.alloc(0));
});

test("errors carry the protocol's name and the client's path", async () => {
  const cases = [
    { code: "NONODE", call: () => client.getData("/none") },
    { code: "NONODE", call: () => client.create("/none/below") },
    { code: "BADVERSION", call: () => client.setData("/err", null, 7) },
    { code: "NODEEXISTS", call: () => client.create("/err") },
    { code: "NOTEMPTY", call: () => client.delete("/err") },
    { code: "BADARGUMENTS", call: () => client.exists("/a//b") },
    { code: "BADARGUMENTS", call: () => client.exists("relative") },
    { code: "MARSHALLINGERROR", call: () => client.setData("/err", Buffer.alloc(1 << 20)) },
  ] as const;
  await client.create("/err");
  await client.create("/err/child");
  for (const { code, call } of cases) {
    await assert.rejects(
      call,
      (thrown) => thrown instanceof ZooKeeperError && thrown.code === code,
    );
  }
});

test("sequential znodes are numbered, and ephemerals go with their session", async () => {
  await client.create("/seq");
  const other = new ZooKeeperClient({ connect: server.address + server.chroot });
  const mode = "ephemeralSequential";
  const first = await other.create("/seq/n-", null, { mode });
  const second = await other.create("/seq/n-", null, { mode });
  assert.equal(first.path, "/seq/n-0000000000");
  assert.equal(second.path, "/seq/n-0000000001");
  assert.equal(first.stat.ephemeralOwner, other.sessionId);
  await other.close();
  assert.deepEqual((await client.getChildren("/seq")).children, []);
});

test("a multi is all or nothing, and its error names the operation", async () => {
  await client.create("/multi", Buffer.from("0"));
  const results = await client.multi([
    steps.check("/multi", 0),
    steps.create("/multi/x-", Buffer.from("x"), { mode: "persistentSequential" }),
    steps.setData("/multi", Buffer.from("1"), 0),
  ]);
  assert.equal(results[1]?.path, "/multi/x-0000000000");
  assert.equal(results[2]?.stat?.version, 1);
  const failing = client.multi([
    steps.create("/multi/never"),
    steps.check("/multi", 0),
    steps.delete("/multi/x-0000000000"),
  ]);
  await assert.rejects(failing, { code: "BADVERSION", index: 1, path: "/multi" });
  assert.deepEqual((await client.getChildren("/multi")).children, ["x-0000000000"]);
  assert.deepEqual(await client.multi([]), []);
});

test("a multi makes znodes that live for a time, and containers", async () => {
  const results = await client.multi([
    steps.create("/lives", null, { mode: "persistentWithTtl", ttlMs: 60_000 }),
    steps.create("/lives-", null, { mode: "persistentSequentialWithTtl", ttlMs: 60_000 }),
    steps.create("/holds", null, { mode: "container" }),
  ]);
  assert.equal(results[0]?.path, "/lives");
  assert.match(results[1]?.path ?? "", /^\/lives-\d{10}$/);
  assert.equal((await client.exists("/lives"))?.ephemeralOwner, 0n);
  await client.create("/holds/kid");
  const made = await client.create("/lives/kid", null, { mode: "persistentWithTtl", ttlMs: 1 });
  assert.equal(made.path, "/lives/kid");
});

test("a one-shot watch fires once, before the reply that shows the change", async () => {
  const seen: string[] = [];
  await client.create("/once", null);
  const watch = (event: WatchEvent): number => seen.push(`${event.kind} ${event.path}`);
  await client.getData("/once", { watch });
  await client.setData("/once", Buffer.from("1")).then(() => seen.push("reply"));
  await client.setData("/once", Buffer.from("2"));
  assert.deepEqual(seen, ["dataChanged /once", "reply"]);
});

test("exists watches for a znode that is not there yet", async () => {
  const seen: WatchEvent[] = [];
  assert.equal(await client.exists("/later", { watch: (event) => seen.push(event) }), null);
  const { stat } = await client.create("/later");
  assert.deepEqual(seen, [{ kind: "created", path: "/later", zxid: stat.czxid }]);
});

test("a children watch fires for a child, not for data", async () => {
  const seen: string[] = [];
  await client.create("/kids");
  await client.getChildren("/kids", { watch: (event) => seen.push(event.kind) });
  await client.setData("/kids", Buffer.from("x"));
  assert.deepEqual(seen, []);
  await client.create("/kids/a");
  assert.deepEqual(seen, ["childrenChanged"]);
});

test("a persistent recursive watch tells of everything below until it is closed", async () => {
  const seen: string[] = [];
  await client.create("/tree");
  const watch = await client.addWatch("/tree", "persistentRecursive", ({ kind, path }) =>
    seen.push(`${kind} ${path}`),
  );
  await client.create("/tree/a");
  await client.create("/tree/a/b");
  await client.setData("/tree/a/b", Buffer.from("x"));
  await client.delete("/tree/a/b");
  await watch.close();
  await client.delete("/tree/a");
  assert.deepEqual(seen, [
    "created /tree/a",
    "created /tree/a/b",
    "dataChanged /tree/a/b",
    "deleted /tree/a/b",
  ]);
});

test("a digest identity opens what it closed to others", async () => {
  const other = new ZooKeeperClient({ connect: server.address + server.chroot });
  await other.addAuth("digest", "fred:secret");
  await other.create("/closed", Buffer.from("x"), { acl: aclCreator });
  await assert.rejects(client.getData("/closed"), { code: "NOAUTH" });
  const { acl } = await other.getAcl("/closed");
  assert.deepEqual(acl, [{ perms: 31, id: { scheme: "digest", id: digestId("fred", "secret") } }]);
  await other.setAcl("/closed", [{ perms: 1, id: { scheme: "world", id: "anyone" } }], 0);
  assert.deepEqual((await client.getData("/closed")).data, Buffer.from("x"));
  await assert.rejects(client.setData("/closed", null), { code: "NOAUTH" });
  await other.close();
});

test("an unknown scheme is refused with AUTHFAILED", async () => {
  const other = new ZooKeeperClient({ connect: server.address + server.chroot });
  await assert.rejects(other.addAuth("nonsense", "x"), { code: "AUTHFAILED" });
  await other.close();
});

test("an aborted call rejects with the signal's reason", async () => {
  const reason = new Error("enough");
  await assert.rejects(client.sync("/", { signal: AbortSignal.abort(reason) }), reason);
  const controller = new AbortController();
  const call = client.sync("/", { signal: controller.signal });
  controller.abort(reason);
  await assert.rejects(call, reason);
  await client.sync();
});

test("a thousand requests in one turn are answered in order", async () => {
  await client.create("/order");
  const calls = Array.from({ length: 1_000 }, () => client.setData("/order", null));
  const versions = (await Promise.all(calls)).map(({ version }) => version);
  assert.deepEqual(
    versions,
    Array.from({ length: 1_000 }, (_, index) => index + 1),
  );
});

test("a closed client refuses calls, and closing twice does nothing more", async () => {
  const other = new ZooKeeperClient({ connect: server.address });
  await other.connected();
  await Promise.all([other.close(), other.close()]);
  await assert.rejects(other.sync(), { code: "CLOSED" });
  await assert.rejects(other.connected(), { code: "CLOSED" });
});

test("ephemerals of the own session are listed", async () => {
  await client.create("/mine", null, { mode: "ephemeral" });
  assert.deepEqual(await client.getEphemerals("/mine"), ["/mine"]);
  await client.delete("/mine");
});

test("connect strings", () => {
  assert.deepEqual(parseConnectString("a:1, [::1]:2,c/x/y"), {
    servers: [
      { host: "a", port: 1 },
      { host: "::1", port: 2 },
      { host: "c", port: 2181 },
    ],
    chroot: "/x/y",
  });
  for (const bad of ["", "a:0", "a:65536", "a:b", "a:1,,b:2", "a b:1"]) {
    assert.throws(() => parseConnectString(bad), { code: "BADARGUMENTS" }, bad);
  }
});
