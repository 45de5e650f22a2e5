import assert from "node:assert/strict";
import test from "node:test";

import { digestOf } from "../src/server/auth.ts";
import { int } from "../src/wire/codec.ts";
import { MultiRequest, MultiResponse } from "../src/wire/multi.ts";
import {
  AclResponse,
  AddWatchRequest,
  AuthRequest,
  Children2Response,
  ChildrenResponse,
  CreateRequest,
  DataResponse,
  EphemeralsResponse,
  PathRequest,
  ReconfigRequest,
  SetAclRequest,
  SetDataRequest,
  SetWatchesRequest,
  Stat,
  VersionRequest,
  WatchedRequest,
  WatcherRequest,
  WhoAmIResponse,
} from "../src/wire/records.ts";
import { eventOf, open, RawClient, serve } from "./server-harness.ts";

const watched = (path: string, watch = false) => ({ path, watch });
const setTo = (path: string, text: string) => ({ path, data: Buffer.from(text), version: -1 });

test("null data is kept apart from empty data", async (context) => {
  const { address } = await serve(context);
  const { client } = await RawClient.open(context, address.port);
  for (const [path, data] of [
    ["/null", null],
    ["/empty", Buffer.alloc(0)],
  ] as const) {
    await client.ask("create", CreateRequest, { path, data, acl: open, flags: 0 });
    const { body } = await client.ask("getData", WatchedRequest, watched(path));
    assert.deepEqual(DataResponse.read(body).data, data);
  }
});

test("create2 and setData answer the Stat as it is after the change", async (context) => {
  const { address } = await serve(context);
  const { client } = await RawClient.open(context, address.port);
  const request = { path: "/a", data: Buffer.from("12"), acl: open, flags: 0 };
  const created = await client.ask("create2", CreateRequest, request);
  assert.equal(created.body.string(), "/a");
  const stat = Stat.read(created.body);
  assert.deepEqual([stat.czxid, stat.dataLength, stat.version], [created.zxid, 2, 0]);
  const changed = await client.ask("setData", SetDataRequest, setTo("/a", "345"));
  const after = Stat.read(changed.body);
  assert.deepEqual([after.mzxid, after.dataLength, after.version], [changed.zxid, 3, 1]);
  assert.equal(after.czxid, created.zxid);
});

test("a failed write takes a zxid too", async (context) => {
  const { address } = await serve(context);
  const { client } = await RawClient.open(context, address.port);
  const first = await client.ask("delete", VersionRequest, { path: "/nope", version: -1 });
  const second = await client.ask("delete", VersionRequest, { path: "/nope", version: -1 });
  assert.deepEqual([first.error, second.zxid - first.zxid], ["NONODE", 1n]);
});

test("pipelined requests are answered in order, and a read sees the write before it", async (context) => {
  const { address } = await serve(context);
  const { client } = await RawClient.open(context, address.port);
  await client.create("/n");
  for (let i = 1; i <= 200; i++) {
    client.send("setData", SetDataRequest, setTo("/n", String(i)));
    client.send("getData", WatchedRequest, watched("/n"));
    client.send("sync", PathRequest, { path: "/n" });
  }
  for (let i = 1; i <= 200; i++) {
    const set = await client.answer();
    const get = await client.answer();
    const sync = await client.answer();
    assert.deepEqual([get?.xid, sync?.xid], [(set?.xid ?? 0) + 1, (set?.xid ?? 0) + 2]);
    assert.equal(DataResponse.read(get!.body).data?.toString(), String(i));
    assert(get!.zxid >= set!.zxid);
  }
});

test("an event stands before the answer of the write that made it", async (context) => {
  const { address } = await serve(context);
  const { client } = await RawClient.open(context, address.port);
  await client.ask("exists", WatchedRequest, watched("/w", true));
  client.send("create", CreateRequest, { path: "/w", data: null, acl: open, flags: 0 });
  const event = await client.answer();
  const reply = await client.answer();
  assert.deepEqual(eventOf(event), { type: 1, state: 3, path: "/w" });
  assert.deepEqual([reply?.error, event?.zxid], ["OK", reply?.zxid]);
});

test("another session hears of a change before it can read it", async (context) => {
  const { address } = await serve(context);
  const [a, b] = [
    (await RawClient.open(context, address.port)).client,
    (await RawClient.open(context, address.port)).client,
  ];
  await a.create("/s");
  for (let i = 0; i < 50; i++) {
    const before = await b.ask("getData", WatchedRequest, watched("/s", true));
    const version = DataResponse.read(before.body).stat.version;
    a.send("setData", SetDataRequest, setTo("/s", `${i}`));
    let isTold = false;
    for (let seen = version; seen === version; ) {
      b.send("getData", WatchedRequest, watched("/s"));
      let answer = await b.answer();
      if (eventOf(answer) !== undefined) {
        isTold = true;
        answer = await b.answer();
      }
      seen = DataResponse.read(answer!.body).stat.version;
    }
    assert(isTold, "the change was seen before its event");
    await a.answer();
  }
});

test("digest ACLs are enforced, expanded from auth, and masked for who may not administer", async (context) => {
  const { address } = await serve(context, { superDigest: digestOf("super:root") });
  const alice = (await RawClient.open(context, address.port)).client;
  const other = (await RawClient.open(context, address.port)).client;
  assert.equal(await alice.authenticate("alice:pw"), "OK");
  const mine = [
    { perms: 31, id: { scheme: "auth", id: "" } },
    { perms: 1, id: { scheme: "world", id: "anyone" } },
  ];
  assert.equal(await alice.create("/mine", 0, mine), "/mine");
  assert.equal(await other.create("/mine/x"), "NOAUTH");
  assert.equal((await other.ask("setData", SetDataRequest, setTo("/mine", "x"))).error, "NOAUTH");
  const seen = AclResponse.read((await other.ask("getACL", PathRequest, { path: "/mine" })).body);
  assert.equal(seen.acl[0]?.id.id, "alice:x");
  const own = AclResponse.read((await alice.ask("getACL", PathRequest, { path: "/mine" })).body);
  assert.equal(own.acl[0]?.id.id, digestOf("alice:pw"));
  const closed = { path: "/mine", acl: mine.slice(0, 1), version: 0 };
  assert.equal((await alice.ask("setACL", SetAclRequest, closed)).error, "OK");
  for (const op of ["getData", "exists", "getChildren"] as const) {
    assert.equal((await other.ask(op, WatchedRequest, watched("/mine"))).error, "NOAUTH", op);
  }
  assert.equal(await other.authenticate("super:root"), "OK");
  assert.equal((await other.ask("getData", WatchedRequest, watched("/mine"))).error, "OK");
  const { ids } = WhoAmIResponse.read((await other.ask("whoAmI")).body);
  assert.deepEqual(
    ids.map(({ scheme }) => scheme),
    ["ip", "super", "digest"],
  );
});

test("proof of an unknown scheme is refused and the connection closed", async (context) => {
  const { address } = await serve(context);
  const { client } = await RawClient.open(context, address.port);
  const request = { type: 0, scheme: "magic", auth: Buffer.from("x") };
  assert.equal((await client.ask("auth", AuthRequest, request, -4)).error, "AUTHFAILED");
  assert.equal(await client.answer(), undefined);
});

test("a persistent watch tells no one who may not read", async (context) => {
  const { address } = await serve(context);
  const alice = (await RawClient.open(context, address.port)).client;
  const spy = (await RawClient.open(context, address.port)).client;
  await alice.authenticate("alice:pw");
  await spy.ask("addWatch", AddWatchRequest, { path: "/", mode: 1 });
  await alice.create("/secret", 0, [{ perms: 31, id: { scheme: "auth", id: "" } }]);
  await alice.create("/public");
  assert.equal(eventOf(await spy.answer())?.path, "/public");
});

test("a multi is all or nothing, and answers each part", async (context) => {
  const { address } = await serve(context);
  const { client } = await RawClient.open(context, address.port);
  const create = (path: string) =>
    ({ op: "create", path, data: null, acl: open, flags: 0 }) as const;
  const good = await client.ask("multi", MultiRequest, [
    create("/m"),
    { op: "setData", ...setTo("/m", "1") },
    { op: "check", path: "/m", version: 1 },
    { op: "delete", path: "/m", version: 1 },
  ]);
  assert.deepEqual(
    MultiResponse.read(good.body).map(({ op }) => op),
    ["create", "setData", "check", "delete"],
  );
  const bad = await client.ask("multi", MultiRequest, [
    create("/x"),
    create("/no/parent"),
    create("/y"),
  ]);
  assert.equal(bad.error, "OK");
  assert.deepEqual(
    MultiResponse.read(bad.body).map((part) => (part.op === "error" ? part.error : part.op)),
    [0, -101, -2],
  );
  assert.equal(await client.exists("/x"), false);
  assert.equal((await client.ask("multi", MultiRequest, [])).error, "OK");
  const read = await client.ask("multiRead", MultiRequest, [
    { op: "getData", path: "/zookeeper", watch: false },
    { op: "getChildren", path: "/none", watch: false },
  ]);
  assert.deepEqual(
    MultiResponse.read(read.body).map(({ op }) => op),
    ["getData", "error"],
  );
});

test("a client that comes back is told what it missed, and watches the rest again", async (context) => {
  const { address } = await serve(context);
  const { client } = await RawClient.open(context, address.port);
  for (const path of ["/same", "/changed", "/parent"]) await client.create(path);
  const { zxid } = await client.ask("exists", WatchedRequest, watched("/same"));
  await client.ask("setData", SetDataRequest, setTo("/changed", "x"));
  await client.create("/parent/child");
  await client.create("/born");
  client.send(
    "setWatches",
    SetWatchesRequest,
    {
      relativeZxid: zxid,
      data: ["/same", "/changed", "/gone"],
      exists: ["/born", "/unborn"],
      children: ["/parent", "/same"],
    },
    -8,
  );
  const events: string[] = [];
  for (let answer = await client.answer(); answer?.xid !== -8; answer = await client.answer()) {
    const event = eventOf(answer);
    events.push(`${event?.type} ${event?.path}`);
  }
  assert.deepEqual(events, ["3 /changed", "2 /gone", "1 /born", "4 /parent"]);
  client.send("setData", SetDataRequest, setTo("/same", "x"));
  assert.equal(eventOf(await client.answer())?.path, "/same");
  await client.answer();
  client.send("create", CreateRequest, { path: "/unborn", data: null, acl: open, flags: 0 });
  assert.equal(eventOf(await client.answer())?.path, "/unborn");
});

test("watches are removed, and a removal of none is refused", async (context) => {
  const { address } = await serve(context);
  const { client } = await RawClient.open(context, address.port);
  await client.create("/a");
  await client.ask("getData", WatchedRequest, watched("/a", true));
  const any = { path: "/a", type: 3 };
  assert.equal((await client.ask("checkWatches", WatcherRequest, any)).error, "OK");
  assert.equal((await client.ask("removeWatches", WatcherRequest, any)).error, "OK");
  assert.equal((await client.ask("removeWatches", WatcherRequest, any)).error, "NOWATCHER");
  assert.equal(
    (await client.ask("addWatch", AddWatchRequest, { path: "/a", mode: 7 })).error,
    "MARSHALLINGERROR",
  );
});

test("children, counts and ephemerals are told", async (context) => {
  const { address } = await serve(context);
  const { client } = await RawClient.open(context, address.port);
  for (const path of ["/p", "/p/a", "/p/b", "/p/b/c"]) await client.create(path);
  await client.create("/p/e-", 3);
  const names = await client.ask("getChildren", WatchedRequest, watched("/p"));
  assert.deepEqual([...ChildrenResponse.read(names.body).children].sort(), [
    "a",
    "b",
    "e-0000000002",
  ]);
  const both = await client.ask("getChildren2", WatchedRequest, watched("/p"));
  const { stat } = Children2Response.read(both.body);
  assert.deepEqual([stat.numChildren, stat.cversion], [3, 3]);
  const count = await client.ask("getAllChildrenNumber", PathRequest, { path: "/p" });
  assert.equal(int.read(count.body), 4);
  for (const [prefix, paths] of [
    ["/", ["/p/e-0000000002"]],
    ["/p/e", ["/p/e-0000000002"]],
    ["/q", []],
  ] as const) {
    const { body } = await client.ask("getEphemerals", PathRequest, { path: prefix });
    assert.deepEqual(EphemeralsResponse.read(body).paths, paths);
  }
});

test("what is not there yet says so, and nonsense is answered", async (context) => {
  const { address } = await serve(context);
  const { client } = await RawClient.open(context, address.port);
  const answers = [
    await client.ask("reconfig", ReconfigRequest, {
      joining: null,
      leaving: "1",
      members: null,
      fromConfig: -1n,
    }),
    await client.ask("sasl"),
    await client.ask("create", int, 7),
    await client.ask("getData", int, -5),
    await client.ask("exists", WatchedRequest, watched("/")),
  ];
  assert.deepEqual(
    answers.map(({ error }) => error),
    ["RECONFIGDISABLED", "UNIMPLEMENTED", "MARSHALLINGERROR", "MARSHALLINGERROR", "OK"],
  );
});

test("what one client writes is what it said, whatever others say before that is on disk", async (context) => {
  const { address } = await serve(context);
  const clients = await Promise.all(
    Array.from({ length: 8 }, async () => (await RawClient.open(context, address.port)).client),
  );
  // Lengths at which frames end within a read, and go on over several.
  const lengthOf = (at: number) => [10, 1_000, 70_000][at % 3]!;
  const dataOf = (who: number, at: number) => Buffer.alloc(lengthOf(at), `${who}-${at} `);
  await Promise.all(
    clients.map(async (client, who) => {
      for (let at = 0; at < 12; at++) {
        const create = { path: `/${who}-${at}`, data: dataOf(who, at), acl: open, flags: 0 };
        await client.ask("create", CreateRequest, create);
      }
    }),
  );
  for (const [who, client] of clients.entries()) {
    for (let at = 0; at < 12; at++) {
      const { body } = await client.ask("getData", WatchedRequest, watched(`/${who}-${at}`));
      assert.deepEqual(DataResponse.read(body).data, dataOf(who, at));
    }
  }
});
