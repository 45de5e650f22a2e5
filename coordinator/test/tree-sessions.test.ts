import assert from "node:assert/strict";
import test from "node:test";

import { LocalSessions } from "../src/tree/local-sessions.ts";
import { type Caller, Preparer, type WriteRequest } from "../src/tree/prepare.ts";
import { Tree } from "../src/tree/tree.ts";
import type { Txn } from "../src/wire/txns.ts";
import { open } from "./tree-harness.ts";

/** A leader's preparer and tree, each request applied before the next unless it is only proposed. */
class Leader {
  readonly tree = Tree.fresh<object>();
  readonly preparer: Preparer<object>;
  #zxid = 2 ** 32;

  constructor(isLocal?: (sessionId: bigint) => boolean) {
    this.preparer = new Preparer(this.tree, { isLocal });
  }

  propose(request: WriteRequest, caller: Partial<Caller> = {}): Txn {
    const whole = { sessionId: 1n, ids: [], ...caller };
    return this.preparer.prepare(request, whole, { zxid: ++this.#zxid, timeMs: 1 }).txn;
  }

  run(request: WriteRequest, caller: Partial<Caller> = {}): Txn {
    const txn = this.propose(request, caller);
    this.apply(txn, caller.sessionId);
    return txn;
  }

  apply(txn: Txn, sessionId = 1n): void {
    this.tree.apply({ sessionId, zxid: this.#zxid, timeMs: 1 }, txn);
    this.preparer.applied(this.#zxid, txn, sessionId);
  }
}

const begin: WriteRequest = { op: "createSession", timeoutMs: 4000 };
const set: WriteRequest = { op: "setData", path: "/", data: null, version: -1 };
const end: WriteRequest = { op: "closeSession" };
const moved: Txn = { type: "error", error: -118 };
const expired: Txn = { type: "error", error: -112 };

function create(path: string, flags = 0) {
  return { op: "create", path, data: null, acl: open, flags } as const;
}

test("who begins a session owns it: a request of it through another is SESSIONMOVED", () => {
  const leader = new Leader();
  leader.run(begin, { owner: 7 });
  assert.equal(leader.run(set, { owner: 7 }).type, "setData");
  assert.deepEqual(leader.run(set, { owner: 8 }), moved);
  assert.deepEqual(leader.run(set, { owner: "self" }), moved);
});

test("who speaks first for a session that a new leader finds in its tree owns it", () => {
  const leader = new Leader();
  leader.run(begin);
  assert.equal(leader.run(set, { owner: 7 }).type, "setData");
  assert.deepEqual(leader.run(set, { owner: 8 }), moved);
  const next = new Preparer(leader.tree);
  const caller = { sessionId: 1n, ids: [], owner: 8 };
  assert.equal(next.prepare(set, caller, { zxid: 2 ** 33, timeMs: 1 }).txn.type, "setData");
});

test("who revalidates a session owns it from then on, and late requests of the one before are refused", () => {
  const leader = new Leader();
  leader.run(begin, { owner: 7 });
  assert.equal(leader.preparer.sessions.revalidate(1n, "self"), true);
  assert.deepEqual(leader.run(set, { owner: 7 }), moved);
  assert.equal(leader.run(set, { owner: "self" }).type, "setData");
});

test("a closeSession from where a session no longer is does not close it", () => {
  const leader = new Leader();
  leader.run(begin, { owner: 7 });
  leader.run(create("/e", 1), { owner: 7 });
  leader.preparer.sessions.revalidate(1n, 8);
  assert.deepEqual(leader.run(end, { owner: 7 }), moved);
  assert.equal(leader.run(set, { owner: 8 }).type, "setData");
  assert.deepEqual(leader.run(end, { owner: 8 }), { type: "closeSession", paths: ["/e"] });
});

test("the server itself ends a session whoever owns it", () => {
  const leader = new Leader();
  leader.run(begin, { owner: 7 });
  assert.equal(leader.run(end).type, "closeSession");
});

test("a session that is about to end is not revalidated, and nothing more is done for it", () => {
  const leader = new Leader();
  leader.run(begin, { owner: 7 });
  const close = leader.propose(end, { owner: 7 });
  assert.equal(leader.preparer.sessions.revalidate(1n, 8), false);
  assert.deepEqual(leader.propose(set, { owner: 7 }), expired);
  leader.apply(close);
  assert.equal(leader.preparer.sessions.revalidate(1n, 8), false);
  assert.deepEqual(leader.run(set, { owner: 8 }), expired);
});

test("a multi from where a session no longer is fails in its first part, as Apache's does", () => {
  const leader = new Leader();
  leader.run(begin, { owner: 7 });
  const multi: WriteRequest = { op: "multi", ops: [create("/a"), create("/b")] };
  assert.deepEqual(leader.run(multi, { owner: 8 }), {
    type: "multi",
    txns: [moved, { type: "error", error: -2 }],
  });
  assert.deepEqual(leader.run(multi, { owner: 8, sessionId: 9n }), {
    type: "multi",
    txns: [expired, { type: "error", error: -2 }],
  });
});

test("a session may speak as soon as its creation is proposed", () => {
  const leader = new Leader();
  leader.propose(begin, { owner: 7 });
  assert.equal(leader.propose(create("/e", 1), { owner: 7 }).type, "create");
});

test("a local session writes, makes no ephemeral, and is upgraded under its id when it wants one", () => {
  const sessionId = 1n << 56n;
  const sessions = new LocalSessions({ serverId: 1, mayUpgrade: true });
  const leader = new Leader((id) => sessions.mayWrite(id));
  sessions.begin(sessionId, 4000);
  assert.deepEqual(sessions.upgradeFor(sessionId, create("/a")), { kind: "none" });
  assert.equal(leader.run(create("/a"), { sessionId, owner: "self" }).type, "create");
  assert.deepEqual(leader.run(create("/e", 1), { sessionId, owner: "self" }), expired);
  const ops = [create("/b"), create("/e-", 3)];
  const upgrade = sessions.upgradeFor(sessionId, { op: "multi", ops });
  assert.deepEqual(upgrade, { kind: "upgrade", timeoutMs: 4000 });
  assert.deepEqual([sessions.has(sessionId), sessions.isUpgrading(sessionId)], [false, true]);
  assert.deepEqual(sessions.upgradeFor(sessionId, create("/e", 1)), { kind: "none" });
  const opened = leader.propose({ op: "createSession", timeoutMs: 4000 }, { sessionId });
  leader.apply(opened, sessionId);
  sessions.upgraded(sessionId);
  assert.equal(leader.run(create("/e", 1), { sessionId, owner: "self" }).type, "create");
  assert.deepEqual(leader.run(end, { sessionId }), { type: "closeSession", paths: ["/e"] });
  assert.deepEqual(leader.run(set, { sessionId }), expired);
});

test("without upgrades an ephemeral of a local session is refused", () => {
  const sessions = new LocalSessions({ serverId: 1, mayUpgrade: false });
  sessions.begin(5n, 4000);
  assert.deepEqual(sessions.upgradeFor(5n, create("/e", 1)), { kind: "refuse", error: -120 });
  assert.deepEqual(sessions.upgradeFor(5n, create("/box", 4)), { kind: "none" });
  assert(sessions.has(5n));
});

test("a leader lets local sessions of other members write, and its own only while it knows them", () => {
  const sessions = new LocalSessions({ serverId: 200, mayUpgrade: true });
  const own = BigInt.asIntN(64, 200n << 56n) + 9n;
  assert.equal(sessions.mayWrite((3n << 56n) + 9n), true);
  assert.equal(sessions.mayWrite(own), false);
  sessions.begin(own, 4000);
  assert.equal(sessions.mayWrite(own), true);
});

test("an upgrade that was under way to a leader that is gone ends its session", () => {
  const sessions = new LocalSessions({ serverId: 1, mayUpgrade: true });
  sessions.begin(5n, 4000);
  sessions.begin(6n, 4000);
  sessions.upgradeFor(5n, create("/e", 1));
  assert.deepEqual(sessions.upgradesLost(), [5n]);
  assert.deepEqual(
    [sessions.has(5n), sessions.isUpgrading(5n), sessions.has(6n)],
    [false, false, true],
  );
});
