// Goal: how a shard comes to another owner, and what its log becomes by it, story by story.
// Method: real cores over arrays for disks and a few fields for the coordinator; time passes when it is told to.
import assert from "node:assert/strict";
import test from "node:test";
import type { LogPoint, SegmentRef } from "../../src/replication/core/types.ts";
import { bodies, members, type Node, Rig, served } from "./rig.ts";

const [a, b, c] = members;

function seal(owner: Node, rig: Rig, add: readonly SegmentRef[]): LogPoint {
  const sealedThrough = owner.core.sealable;
  const commit = { id: "s1", kind: "seal", add, remove: [], detail: undefined } as const;
  owner.input({ kind: "commit", commit: { ...commit, sealedThrough } });
  rig.run();
  assert.equal(owner.last("commit-settled")?.outcome, "committed");
  return sealedThrough;
}

test("the promise is on disk before the shard is acquired", () => {
  const rig = new Rig([a]);
  const node = rig.start(a, { areRecordsHeld: true });
  rig.pass(1_000);
  assert.equal(node.last("persist")?.state.promised, 1);
  assert.equal(node.all("multi").length, 0);
  node.release();
  rig.serving(node);
});

test("when the owner is gone a member takes over, and serves when no lease can be left", () => {
  const { rig, nodes } = served(a, b, c);
  const [owner, second, third] = nodes as [Node, Node, Node];
  owner.append("x");
  rig.run();
  rig.kill(owner);
  rig.pass(100);
  assert.equal(rig.znodes.owner, second.self);
  assert.equal(second.role, "taking");
  const promisedMs = rig.nowMs;
  rig.serving(second);
  assert.ok(rig.nowMs >= promisedMs + 500);
  assert.deepEqual(third.core.status.role, { kind: "follower", owner: second.self, epoch: 2 });
  second.append("y");
  rig.until(() => second.core.status.committed === second.end.position, "all is committed");
  assert.deepEqual(
    [bodies(second), bodies(third)],
    [
      ["x", "y"],
      ["x", "y"],
    ],
  );
});

test("an owner that stands still is taken out at once by the one that took over, though its links last", () => {
  const { rig, nodes } = served(a, b, c);
  const [owner, second] = nodes as [Node, Node, Node];
  rig.stand(owner);
  rig.pass(6_000);
  rig.expire(owner);
  rig.run();
  const sinceMs = rig.nowMs;
  rig.serving(second);
  assert.ok(rig.nowMs - sinceMs < 1_000, `after ${rig.nowMs - sinceMs} ms`);
});

test("what only the old owner had is cut off when it comes back, and forgotten", () => {
  const { rig, nodes } = served(a, b);
  const [owner, second] = nodes as [Node, Node];
  owner.append("both");
  rig.run();
  rig.cut(owner, second);
  owner.append("lost");
  rig.run();
  assert.deepEqual(bodies(owner), ["both", "lost"]);
  owner.isUnreachable = true;
  rig.expire(owner);
  rig.serving(second);
  second.append("new");
  rig.pass(3_000);
  owner.isUnreachable = false;
  rig.seen();
  rig.join(owner, second);
  rig.until(() => rig.znodes.inSync.length === 2, "the old owner follows");
  assert.deepEqual(bodies(owner), ["both", "new"]);
  assert.equal(owner.last("forget")?.after, 2);
});

test("an owner that does not know that it was deposed commits nothing and opens no cut", () => {
  const { rig, nodes } = served(a, b);
  const [owner, second] = nodes as [Node, Node];
  owner.isUnreachable = true;
  rig.expire(owner);
  rig.serving(second);
  assert.equal(owner.role, "serving");
  const { committed } = owner.core.status;
  owner.append("late");
  owner.input({ kind: "cut", request: 1 });
  rig.pass(1_200);
  assert.equal(owner.core.status.committed, committed);
  assert.equal(owner.last("cut-opened"), undefined);
  assert.equal(owner.last("cut-refused")?.reason, "no-lease");
});

test("an owner refused for a newer promise acquires again above it", () => {
  const rig = new Rig([a, b]);
  const owner = rig.start(a);
  // This one has tried to acquire before, and came to a higher epoch than anyone knows of.
  rig.start(b, { state: { promised: 7 } });
  rig.serving(owner);
  assert.ok(rig.znodes.epoch > 7);
  assert.equal(rig.znodes.owner, owner.self);
});

test("a replica whose reading is older than the epoch says not yet, reads again, and follows", () => {
  const rig = new Rig([a, b]);
  const follower = rig.start(b);
  assert.equal(rig.znodes.owner, undefined);
  const owner = rig.start(a);
  owner.isUnreachable = false;
  rig.serving(owner);
  const sent = follower.all("send").map(({ message }) => message.kind);
  assert.deepEqual(sent.slice(0, 2), ["not-yet", "promised"]);
  assert.deepEqual(rig.znodes.inSync, [a, b]);
});

test("a replica refuses an epoch whose owner the znode does not name", () => {
  const { rig, nodes } = served(a, b);
  const [, follower] = nodes as [Node, Node];
  const link = follower.linkTo(a) ?? 0;
  const message = { kind: "announce", epoch: 1, owner: `${a}/99`, sentMs: 0 } as const;
  follower.input({ kind: "message", from: a, link, message });
  rig.run();
  const { message: answer } = follower.last("send")!;
  assert.equal(answer.kind, "refused");
});

test("an acquisition whose answer was lost is known by owner, epoch and session", () => {
  for (const fate of ["answer-lost", "request-lost"] as const) {
    const rig = new Rig([a]);
    rig.fate = fate;
    const owner = rig.start(a);
    rig.serving(owner);
    assert.equal(rig.znodes.version, 1);
    rig.arrive();
    assert.equal(rig.znodes.version, 1);
  }
});

test("an owner whose session has expired acquires anew, and what was appended stays pending", () => {
  const { rig, nodes } = served(a, b);
  const [owner, follower] = nodes as [Node, Node];
  follower.isDiskHeld = true;
  owner.append("x");
  rig.run();
  // Nobody else tries.
  follower.isUnreachable = true;
  rig.expire(owner);
  owner.input({ kind: "session-expired" });
  rig.run();
  assert.equal(rig.znodes.epoch, 2);
  follower.isUnreachable = false;
  rig.seen();
  follower.release();
  rig.serving(owner);
  assert.deepEqual(bodies(follower), ["x"]);
  const roles = owner.all("role").map(({ role }) => role.kind);
  assert.ok(!roles.includes("follower"));
});

test("whoever takes over, and again before it served, waits until no lease of the owner before both can be left", () => {
  const { rig, nodes } = served(a, b);
  const [owner, second] = nodes as [Node, Node];
  owner.append("x");
  rig.run();
  // It goes on without knowing that its session has ended.
  rig.stand(owner);
  rig.expire(owner);
  rig.cut(owner, second);
  second.input({ kind: "live", replica: a, incarnation: undefined });
  rig.until(() => rig.znodes.owner === second.self, "the other has acquired");
  const acquiredMs = rig.nowMs;
  rig.pass(200);
  assert.deepEqual(rig.znodes.inSync, [a, b], "alone before a lease has run out");
  const again = rig.restart(second);
  rig.serving(again);
  assert.ok(rig.nowMs >= acquiredMs + 500);
  assert.deepEqual(rig.znodes.inSync, [b]);
});

test("a replica that is not of the set never acquires", () => {
  const { rig, nodes } = served(a);
  const wiped = rig.start("1/d9");
  rig.kill(nodes[0]!);
  rig.pass(5_000);
  assert.equal(wiped.role, "waiting");
  assert.equal(wiped.all("multi").length, 0);
});

test("a damaged member does not acquire, is taken out, and is repaired as a learner", () => {
  const { rig, nodes } = served(a, b);
  const [owner, follower] = nodes as [Node, Node];
  owner.append("x");
  rig.run();
  rig.kill(owner);
  rig.kill(follower);
  const damaged = rig.start(b, { disk: follower, state: { isDamaged: true } });
  rig.pass(3_000);
  assert.equal(damaged.role, "waiting");
  const back = rig.start(a, { disk: owner });
  rig.serving(back);
  rig.until(() => damaged.all("reset-log").length === 1, "it is emptied");
  rig.until(() => rig.znodes.inSync.length === 2, "it is back");
  assert.deepEqual(bodies(damaged), ["x"]);
});

test("a member that finds damage while it takes over takes nobody out, and gives the shard up", () => {
  const rig = new Rig([a, b, c]);
  const damaged = rig.start(a, { areRecordsHeld: true });
  damaged.input({ kind: "damage-found", reason: "a checksum" });
  damaged.release();
  rig.run();
  assert.equal(rig.znodes.owner, damaged.self);
  damaged.input({ kind: "live", replica: c, incarnation: undefined });
  const second = rig.start(b);
  rig.serving(second);
  assert.deepEqual(
    damaged.all("multi").map(({ op }) => op.kind),
    ["acquire", "hand-over"],
  );
  rig.until(() => damaged.all("reset-log").length === 1, "it is emptied");
  rig.until(() => rig.znodes.inSync.length === 2, "it is back");
});

test("a member that has lost what it confirmed counts as damaged", () => {
  const { rig, nodes } = served(a, b);
  const [owner, follower] = nodes as [Node, Node];
  owner.append("x");
  owner.append("y");
  rig.pass(3_000);
  rig.kill(follower, false);
  const { entries } = follower;
  follower.entries = entries.slice(0, 1);
  const torn = rig.start(b, { disk: follower, state: { committed: 0 } });
  rig.until(() => torn.all("reset-log").length === 1, "it is emptied");
  rig.until(() => rig.znodes.inSync.length === 2, "it is back");
  assert.deepEqual(bodies(torn), ["x", "y"]);
});

test("a replica asked to cut its log below what it knows to be committed stops with an error", () => {
  const { rig, nodes } = served(a, b);
  const [owner, follower] = nodes as [Node, Node];
  owner.append("x");
  rig.pass(3_000);
  rig.kill(owner);
  rig.kill(follower);
  // A person has put an older copy of the other disk back.
  const older = rig.start(a, { state: { promised: 1 } });
  rig.serving(older);
  const stopped = rig.start(b, { disk: follower });
  rig.pass(3_000);
  assert.equal(stopped.role, "stopped");
  assert.deepEqual(bodies(stopped), ["x"]);
  assert.deepEqual(rig.znodes.inSync, [a]);
});

test("a learner whose entries are gone from the owner's log starts behind what is sealed", () => {
  const { rig, nodes } = served(a);
  const [owner] = nodes as [Node];
  owner.append("x");
  rig.run();
  const base = seal(owner, rig, [{ uuid: "u1", detail: undefined }]);
  owner.append("y");
  const learner = rig.start(b);
  owner.input({ kind: "assign", replicas: [a, b], owner: undefined, minInSync: 1 });
  rig.until(() => rig.znodes.inSync.length === 2, "it is in the set");
  assert.deepEqual(learner.base, base);
  assert.deepEqual(bodies(learner), ["y"]);
  assert.deepEqual(
    learner.last("hold-segments")?.add.map(({ uuid }) => uuid),
    ["u1"],
  );
});

test("a member that lags behind what the owner's log holds is taken out before it is emptied", () => {
  const { rig, nodes } = served(a, b);
  const [owner, follower] = nodes as [Node, Node];
  rig.cut(owner, follower);
  owner.append("x");
  rig.until(() => rig.znodes.inSync.length === 1, "it is taken out");
  seal(owner, rig, []);
  rig.join(owner, follower);
  rig.until(() => follower.all("reset-log").length === 1, "it is emptied");
  rig.until(() => rig.znodes.inSync.length === 2, "it is back");
  assert.deepEqual(
    follower.end,
    owner.end.position === 2 ? { epoch: 1, position: 2 } : follower.end,
  );
});

test("a shard that is handed over is served without waiting for leases", () => {
  const { rig, nodes } = served(a, b, c);
  const [owner, second, third] = nodes as [Node, Node, Node];
  owner.append("x");
  owner.input({ kind: "hand-over", target: c, transferMs: 5_000, isDrain: false });
  rig.pass(100);
  assert.deepEqual(owner.last("hand-over-settled"), {
    ...{ kind: "hand-over-settled", isDone: true, reason: "handed over" },
  });
  assert.equal(third.role, "serving");
  assert.equal(second.role, "follower");
  owner.append("y");
  rig.run();
  assert.equal(owner.last("refuse")?.reason, "moved");
  assert.equal(owner.last("refuse")?.owner, third.self);
});

test("others hold back from a shard that was handed to one who does not come", () => {
  const { rig, nodes } = served(a, b, c);
  const [owner, second, third] = nodes as [Node, Node, Node];
  third.isUnreachable = true;
  owner.input({ kind: "hand-over", target: c, transferMs: 5_000, isDrain: false });
  rig.pass(4_500);
  assert.equal(rig.znodes.owner, undefined);
  rig.until(() => rig.znodes.owner !== undefined, "another takes it");
  assert.ok([owner.self, second.self].includes(rig.znodes.owner ?? ""));
});

test("nobody holds back for one who is known to be gone", () => {
  const { rig, nodes } = served(a, b, c);
  const [owner, second, third] = nodes as [Node, Node, Node];
  third.isUnreachable = true;
  owner.input({ kind: "hand-over", target: c, transferMs: 60_000, isDrain: false });
  rig.pass(200);
  assert.equal(rig.znodes.next, c);
  rig.kill(third);
  second.input({ kind: "live", replica: c, incarnation: undefined });
  rig.serving(second);
});

test("an owner whose hand-over is in doubt takes nothing and shows nothing until it is settled", () => {
  for (const fate of ["answer-lost", "request-lost"] as const) {
    const { rig, nodes } = served(a, b);
    const [owner, second] = nodes as [Node, Node];
    second.isUnreachable = true;
    rig.isOfInterest = (op) => {
      owner.isUnreachable ||= op.kind === "hand-over";
      return owner.isUnreachable;
    };
    rig.fate = fate;
    owner.input({ kind: "hand-over", target: b, transferMs: 60_000, isDrain: false });
    rig.pass(300);
    rig.isOfInterest = () => false;
    assert.equal(owner.role, "handing-over");
    owner.append("x");
    owner.input({ kind: "cut", request: 1 });
    rig.pass(1_500);
    assert.equal(owner.last("refuse")?.reason, "waiting");
    assert.equal(owner.last("cut-opened"), undefined);
    owner.isUnreachable = false;
    rig.pass(1_000);
    assert.equal(owner.last("hand-over-settled")?.isDone, true);
    assert.equal(rig.znodes.next, b);
    assert.equal(owner.role, "waiting");
  }
});

test("an owner that was deposed while its hand-over was in doubt steps down", () => {
  const { rig, nodes } = served(a, b);
  const [owner, second] = nodes as [Node, Node];
  rig.isOfInterest = (op) => {
    owner.isUnreachable ||= op.kind === "hand-over";
    return owner.isUnreachable && op.kind === "hand-over";
  };
  rig.fate = "request-lost";
  owner.input({ kind: "hand-over", target: b, transferMs: 1_000, isDrain: false });
  rig.pass(100);
  rig.isOfInterest = () => false;
  rig.expire(owner);
  rig.serving(second);
  owner.isUnreachable = false;
  rig.seen();
  rig.until(() => owner.role === "follower", "it follows");
  assert.equal(owner.last("hand-over-settled")?.isDone, false);
});

test("a hand-over to one who cannot take it is given up, and appends go on", () => {
  const { rig, nodes } = served(a, b);
  const [owner, second] = nodes as [Node, Node];
  second.isDiskHeld = true;
  owner.append("x");
  owner.input({ kind: "hand-over", target: b, transferMs: 5_000, isDrain: false });
  rig.pass(2_500);
  assert.equal(owner.last("hand-over-settled")?.isDone, false);
  assert.equal(owner.role, "serving");
});

test("a shard moves to other nodes as it is assigned", () => {
  const { rig, nodes } = served(a);
  const [owner] = nodes as [Node];
  owner.append("x");
  const [second, third] = [rig.start(b), rig.start(c)];
  for (const node of rig.nodes.values()) {
    node.input({ kind: "assign", replicas: [b, c], owner: c, minInSync: 1 });
  }
  rig.until(() => third.role === "serving" && rig.znodes.inSync.length === 2, "it has moved");
  assert.deepEqual(rig.znodes.inSync.toSorted(), [b, c]);
  assert.deepEqual([bodies(second), bodies(third)], [["x"], ["x"]]);
});

test("a node that drains gives its shard to whoever can take it, and does not take it back", () => {
  const { rig, nodes } = served(a, b);
  const [owner, second] = nodes as [Node, Node];
  owner.input({ kind: "hand-over", target: undefined, transferMs: 1_000, isDrain: true });
  rig.pass(200);
  assert.equal(second.role, "serving");
  rig.kill(second);
  rig.pass(5_000);
  assert.notEqual(owner.role, "serving");
});

test("an owner whose disk has failed gives the shard up, though its session lives", () => {
  const { rig, nodes } = served(a, b);
  const [owner, second] = nodes as [Node, Node];
  owner.input({ kind: "disk-failed", reason: "a sync has failed" });
  rig.run();
  assert.equal(owner.role, "stopped");
  rig.serving(second);
});

test("a person can accept loss when no member of the set lives", () => {
  const { rig, nodes } = served(a, b);
  const [owner, second] = nodes as [Node, Node];
  rig.cut(owner, second);
  rig.until(() => rig.znodes.inSync.length === 1, "one is left");
  rig.kill(owner);
  second.input({ kind: "recover", liveMembers: [a] });
  rig.run();
  assert.equal(second.last("recover-settled")?.isDone, false);
  second.input({ kind: "recover", liveMembers: [] });
  rig.serving(second);
  assert.equal(second.last("recover-settled")?.isDone, true);
  assert.deepEqual(rig.znodes.inSync, [b]);
});

test("a log that ends below what is sealed is not served without the sealed segments", () => {
  const rig = new Rig([a]);
  rig.znodes.sealedThrough = { epoch: 1, position: 5 };
  const owner = rig.start(a, { state: { promised: 1 } });
  rig.serving(owner);
  assert.deepEqual(owner.end, { ...owner.end, epoch: 2, position: 6 });
});
