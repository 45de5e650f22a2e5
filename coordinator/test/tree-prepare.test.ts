import assert from "node:assert/strict";
import test from "node:test";
import { digestOf } from "../src/server/auth.ts";
import { Preparer, type WriteRequest } from "../src/tree/prepare.ts";
import { Tree } from "../src/tree/tree.ts";
import { errorNameOf, perms } from "../src/wire/constants.ts";
import type { Acl, Id } from "../src/wire/records.ts";
import { open, TreeHarness } from "./tree-harness.ts";

const data = Buffer.from("d");
const create = (path: string, flags = 0, acl: readonly Acl[] = open): WriteRequest => ({
  op: "create",
  path,
  data,
  acl,
  flags,
});
const createTtl = (ttlMs: bigint, flags = 5): WriteRequest => ({
  op: "createTTL",
  path: "/t",
  data,
  acl: open,
  flags,
  ttlMs,
});
const digest = (id: string, rights: number = perms.all): Acl => ({
  perms: rights,
  id: { scheme: "digest", id },
});
const alice: Id = { scheme: "digest", id: digestOf("alice:secret") };

/** Each row runs on a tree with /a, /a/b, /e (ephemeral of session 1) and /locked (digest of alice). */
const rows: readonly {
  readonly name: string;
  readonly request: WriteRequest;
  readonly error: string;
  readonly ids?: readonly Id[];
}[] = [
  { name: "create below the root", request: create("/new"), error: "OK" },
  { name: "create what is there", request: create("/a"), error: "NODEEXISTS" },
  { name: "create the root", request: create("/"), error: "NODEEXISTS" },
  { name: "create without a parent", request: create("/x/y"), error: "NONODE" },
  { name: "create a relative path", request: create("abc"), error: "BADARGUMENTS" },
  { name: "create an empty path", request: create(""), error: "BADARGUMENTS" },
  { name: "create a path with NUL", request: create("/a\0b"), error: "BADARGUMENTS" },
  { name: "create with an empty part", request: create("/a//b"), error: "NONODE" },
  { name: "create with a dot", request: create("/a/./b"), error: "NONODE" },
  { name: "create a dot", request: create("/a/."), error: "BADARGUMENTS" },
  { name: "create two dots", request: create("/.."), error: "BADARGUMENTS" },
  { name: "create with a trailing slash", request: create("/a/"), error: "BADARGUMENTS" },
  { name: "create a control character", request: create("/\u0001"), error: "BADARGUMENTS" },
  { name: "create a name that begins with a dot", request: create("/.hidden"), error: "OK" },
  { name: "create with unknown flags", request: create("/f", 99), error: "BADARGUMENTS" },
  { name: "create a container", request: create("/c", 4), error: "OK" },
  {
    name: "create with the flags of a TTL and none",
    request: create("/t", 5),
    error: "BADARGUMENTS",
  },
  { name: "create for a second", request: createTtl(1000n), error: "OK" },
  { name: "create for the longest time", request: createTtl(0xff_ffff_ffffn), error: "OK" },
  {
    name: "create for longer than that",
    request: createTtl(0x100_0000_0000n),
    error: "BADARGUMENTS",
  },
  { name: "create for no time", request: createTtl(0n), error: "BADARGUMENTS" },
  {
    name: "create with a TTL and the flags of none",
    request: createTtl(9n, 0),
    error: "BADARGUMENTS",
  },
  {
    name: "delete as a container what is none",
    request: { op: "deleteContainer", path: "/a/b" },
    error: "OK",
  },
  {
    name: "delete as a container an ephemeral",
    request: { op: "deleteContainer", path: "/e" },
    error: "BADVERSION",
  },
  {
    name: "delete as a container what has children",
    request: { op: "deleteContainer", path: "/a" },
    error: "NOTEMPTY",
  },
  {
    name: "delete what is not there, where nothing may be deleted",
    request: { op: "delete", path: "/locked/none", version: -1 },
    error: "NOAUTH",
  },
  { name: "create below an ephemeral", request: create("/e/x"), error: "NOCHILDRENFOREPHEMERALS" },
  { name: "create with an empty ACL", request: create("/n", 0, []), error: "INVALIDACL" },
  {
    name: "create with auth and no identity",
    request: create("/n", 0, [{ perms: 31, id: { scheme: "auth", id: "" } }]),
    error: "INVALIDACL",
  },
  {
    name: "create with auth and an identity",
    request: create("/n", 0, [{ perms: 31, id: { scheme: "auth", id: "" } }]),
    ids: [alice],
    error: "OK",
  },
  {
    name: "create with a digest of no user",
    request: create("/n", 0, [digest("x")]),
    error: "INVALIDACL",
  },
  {
    name: "create with an unknown scheme",
    request: create("/n", 0, [{ perms: 31, id: { scheme: "magic", id: "x" } }]),
    error: "INVALIDACL",
  },
  { name: "create below locked by nobody", request: create("/locked/x"), error: "NOAUTH" },
  { name: "create below locked by alice", request: create("/locked/x"), ids: [alice], error: "OK" },
  {
    name: "create below locked by super",
    request: create("/locked/x"),
    ids: [{ scheme: "super", id: "" }],
    error: "OK",
  },
  { name: "delete a leaf", request: { op: "delete", path: "/a/b", version: 0 }, error: "OK" },
  {
    name: "delete with children",
    request: { op: "delete", path: "/a", version: -1 },
    error: "NOTEMPTY",
  },
  {
    name: "delete another version",
    request: { op: "delete", path: "/a/b", version: 3 },
    error: "BADVERSION",
  },
  { name: "delete nothing", request: { op: "delete", path: "/zz", version: -1 }, error: "NONODE" },
  {
    name: "delete the root",
    request: { op: "delete", path: "/", version: -1 },
    error: "BADARGUMENTS",
  },
  {
    name: "delete /zookeeper",
    request: { op: "delete", path: "/zookeeper", version: -1 },
    error: "BADARGUMENTS",
  },
  { name: "set data", request: { op: "setData", path: "/a", data, version: -1 }, error: "OK" },
  {
    name: "set data at another version",
    request: { op: "setData", path: "/a", data, version: 7 },
    error: "BADVERSION",
  },
  {
    name: "set locked data",
    request: { op: "setData", path: "/locked", data, version: -1 },
    error: "NOAUTH",
  },
  {
    name: "set data of nothing",
    request: { op: "setData", path: "/q", data, version: -1 },
    error: "NONODE",
  },
  {
    name: "set data of no path",
    request: { op: "setData", path: "q", data, version: -1 },
    error: "BADARGUMENTS",
  },
  { name: "set an ACL", request: { op: "setACL", path: "/a", acl: open, version: 0 }, error: "OK" },
  {
    name: "set an ACL at another version",
    request: { op: "setACL", path: "/a", acl: open, version: 1 },
    error: "BADVERSION",
  },
  {
    name: "set a locked ACL",
    request: { op: "setACL", path: "/locked", acl: open, version: -1 },
    error: "NOAUTH",
  },
  { name: "check a version", request: { op: "check", path: "/a", version: 0 }, error: "OK" },
  {
    name: "check another version",
    request: { op: "check", path: "/a", version: 1 },
    error: "BADVERSION",
  },
];

for (const { name, request, error, ids = [] } of rows) {
  test(`${name}: ${error}`, () => {
    const harness = new TreeHarness(1n);
    harness.create("/a");
    harness.create("/a/b");
    harness.create("/e", 1);
    harness.run(create("/locked", 0, [digest(alice.id)]));
    assert.equal(harness.run(request, 1n, ids), error);
  });
}

test("a request without a session is refused", () => {
  assert.equal(new TreeHarness().run(create("/a")), "SESSIONEXPIRED");
});

test("sequential names count creates, also those that are proposed and not applied", () => {
  const harness = new TreeHarness(1n);
  harness.create("/q");
  const names = [2, 2, 3].map((flags) => {
    const txn = harness.propose(create("/q/n-", flags));
    return txn.type === "create" ? txn.path : txn.type;
  });
  assert.deepEqual(names, ["/q/n-0000000000", "/q/n-0000000001", "/q/n-0000000002"]);
  harness.applyAll();
  harness.run({ op: "delete", path: "/q/n-0000000002", version: -1 });
  const txn = harness.propose(create("/q/n-", 2));
  assert.equal(txn.type === "create" && txn.path, "/q/n-0000000003");
});

test("a request sees what was proposed before it and is not applied yet", () => {
  const harness = new TreeHarness(1n);
  assert.equal(harness.propose(create("/a")).type, "create");
  assert.equal(harness.propose(create("/a/b")).type, "create");
  assert.deepEqual(harness.propose(create("/a")), { type: "error", error: -110 });
  assert.deepEqual(harness.propose({ op: "delete", path: "/a", version: -1 }), {
    type: "error",
    error: -111,
  });
  assert.equal(harness.propose({ op: "delete", path: "/a/b", version: -1 }).type, "delete");
  assert.equal(harness.propose({ op: "delete", path: "/a", version: -1 }).type, "delete");
  assert.equal(harness.propose(create("/a")).type, "create");
  harness.applyAll();
  assert.equal(harness.preparer.outstanding, 0);
  assert.notEqual(harness.tree.znodes.find("/a"), -1);
});

test("a multi that fails changes nothing and names its culprit", () => {
  const harness = new TreeHarness(1n);
  const ops = [create("/a"), create("/nope/b"), create("/c")] as never;
  harness.propose({ op: "multi", ops });
  // What the failed multi had pending is forgotten: the next request sees nothing of it.
  assert.equal(harness.propose(create("/a")).type, "create");
  const outcome = harness.applyNext();
  assert.deepEqual(
    outcome?.parts?.map(({ error }) => error),
    [0, -101, -2],
  );
  assert.equal(harness.tree.znodes.find("/c"), -1);
});

test("a multi that fails leaves what was proposed before it as it was", () => {
  const harness = new TreeHarness(1n);
  harness.propose(create("/a"));
  const set = { op: "setData", path: "/a", data: Buffer.from("2"), version: 0 } as const;
  harness.propose({ op: "multi", ops: [set, create("/nope/b")] as never });
  const check = { op: "check", path: "/a", version: 0 } as const;
  assert.deepEqual(harness.propose(check), { type: "error", error: 0 });
  assert.deepEqual(harness.propose({ ...check, version: 1 }), { type: "error", error: -103 });
  assert.equal(harness.propose(create("/a/b")).type, "create");
});

test("the parts of a multi see each other and share one zxid", () => {
  const harness = new TreeHarness(1n);
  const ops = [
    create("/a"),
    { op: "setData", path: "/a", data: Buffer.from("2"), version: 0 },
    { op: "check", path: "/a", version: 1 },
    create("/a/b"),
  ] as never;
  assert.equal(harness.run({ op: "multi", ops }), "OK");
  const { znodes } = harness.tree;
  const [a, b] = [znodes.find("/a"), znodes.find("/a/b")];
  assert.deepEqual([znodes.version(a), znodes.czxid(a)], [1, znodes.czxid(b)]);
});

test("closing a session deletes its ephemerals, also those still proposed", () => {
  const harness = new TreeHarness(1n, 2n);
  harness.create("/mine", 1);
  harness.create("/other", 1, 2n);
  harness.propose(create("/late", 1));
  const txn = harness.propose({ op: "closeSession" });
  assert.deepEqual(txn, { type: "closeSession", paths: ["/mine", "/late"] });
  assert.deepEqual(harness.propose(create("/never", 1)), { type: "error", error: -112 });
  harness.applyAll();
  const { znodes, sessions } = harness.tree;
  assert.deepEqual(
    ["/mine", "/late", "/never", "/other"].map((path) => znodes.find(path) !== -1),
    [false, false, false, true],
  );
  assert.equal(sessions.ephemeralCount, 1);
  assert.equal(sessions.has(1n), false);
});

test("a hard quota refuses what would exceed it, counting what is proposed", () => {
  const harness = new TreeHarness(1n);
  harness.create("/inbox");
  harness.create("/zookeeper/quota/inbox");
  const limits = Buffer.from("count=-1,bytes=-1=;byteHardLimit=10;countHardLimit=3");
  const path = "/zookeeper/quota/inbox/zookeeper_limits";
  harness.run({ op: "create", path, data: limits, acl: open, flags: 0 });
  harness.create("/zookeeper/quota/inbox/zookeeper_stats");
  const types = ["/inbox/a", "/inbox/b", "/inbox/c"].map((p) => harness.propose(create(p)));
  assert.deepEqual(
    types.map((txn) => (txn.type === "error" ? txn.error : txn.type)),
    ["create", "create", -125],
  );
  harness.applyAll();
  const big = { op: "setData", path: "/inbox/a", data: Buffer.alloc(9), version: -1 } as const;
  assert.equal(harness.run(big), "QUOTAEXCEEDED");
  const stats = harness.tree.znodes.find("/zookeeper/quota/inbox/zookeeper_stats");
  assert.equal(Buffer.from(harness.tree.znodes.data(stats)!).toString(), "count=3,bytes=3");
  assert.equal(harness.run({ op: "delete", path: "/inbox/b", version: -1 }), "OK");
  assert.equal(harness.run(create("/inbox/c")), "OK");
});

test("a soft quota refuses nothing, and tells once that it is passed", () => {
  const harness = new TreeHarness(1n);
  harness.create("/soft");
  harness.create("/zookeeper/quota/soft");
  const path = "/zookeeper/quota/soft/zookeeper_limits";
  const limits = Buffer.from("count=2,bytes=3");
  harness.run({ op: "create", path, data: limits, acl: open, flags: 0 });
  const { quotas } = harness.tree;
  assert.equal(harness.run(create("/soft/a")), "OK");
  assert.deepEqual(quotas.warningsTake(), []);
  for (const name of ["b", "c", "d"]) assert.equal(harness.run(create(`/soft/${name}`)), "OK");
  assert.deepEqual(quotas.warningsTake(), [
    { path: "/soft", what: "count", now: 3, limit: 2 },
    { path: "/soft", what: "bytes", now: 4, limit: 3 },
  ]);
  assert.deepEqual(quotas.warningsTake(), []);
});

test("a hard quota that is not enforced refuses nothing", () => {
  const tree = Tree.fresh();
  const preparer = new Preparer(tree, { enforceQuota: false });
  let zxid = 0;
  const run = (request: WriteRequest): string => {
    const context = { sessionId: 1n, zxid: ++zxid, timeMs: 1 };
    const { txn, digest } = preparer.prepare(request, { sessionId: 1n, ids: [] }, context);
    const { error } = tree.apply(context, txn, digest);
    preparer.applied(zxid, txn, 1n);
    return errorNameOf(error) ?? "?";
  };
  run({ op: "createSession", timeoutMs: 1000 });
  for (const path of ["/q", "/zookeeper/quota/q"]) run(create(path));
  const path = "/zookeeper/quota/q/zookeeper_limits";
  run({ op: "create", path, data: Buffer.from("countHardLimit=1"), acl: open, flags: 0 });
  assert.equal(run(create("/q/a")), "OK");
});

test("duplicate ACL entries are stored once", () => {
  const harness = new TreeHarness(1n);
  harness.run(create("/a", 0, [digest("u:p"), digest("u:p"), ...open]));
  const { tree } = harness;
  assert.equal(tree.aclOf(tree.znodes.find("/a")).length, 2);
});
