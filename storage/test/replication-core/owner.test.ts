// Goal: what an owner takes, shows and acknowledges, story by story.
// Method: real cores over arrays for disks and a few fields for the coordinator; time passes when it is told to.
import assert from "node:assert/strict";
import test from "node:test";
import type { LogPoint, ManifestCommit, SegmentRef } from "../../src/replication/core/types.ts";
import { bodies, members, type Node, Rig, served } from "./rig.ts";

const [a, b, c] = members;

function sealOf(sealedThrough: LogPoint, add: readonly SegmentRef[] = []): ManifestCommit {
  return { id: "s1", kind: "seal", sealedThrough, add, remove: [], detail: undefined };
}

test("a set of one commits with its own disk, sends nothing and wants no tick", () => {
  const { rig, nodes } = served(a);
  const [node] = nodes as [Node];
  assert.equal(node.core.wakeAtMs, undefined);
  const before = node.effects.length;
  node.append("x");
  rig.run();
  const kinds = node.effects.slice(before).map(({ kind }) => kind);
  assert.deepEqual(kinds, ["append", "committed"]);
  assert.equal(node.core.status.committed, 2);
  assert.equal(node.core.wakeAtMs, undefined);
});

test("a set of one that comes back serves at once, since nobody else can have a lease", () => {
  const { rig, nodes } = served(a);
  const again = rig.restart(nodes[0]!);
  rig.run();
  assert.equal(again.role, "serving");
  assert.equal(again.core.status.promised, 2);
});

test("an entry is committed when every member has it on disk", () => {
  const { rig, nodes } = served(a, b);
  const [owner, follower] = nodes as [Node, Node];
  follower.isDiskHeld = true;
  owner.append("x");
  rig.run();
  assert.deepEqual(bodies(follower), ["x"]);
  assert.equal(owner.core.status.committed, 1);
  follower.release();
  rig.run();
  assert.equal(owner.core.status.committed, 2);
});

test("an owner whose own disk is behind commits nothing, whatever the others have", () => {
  const { rig, nodes } = served(a, b);
  const [owner] = nodes as [Node, Node];
  owner.isDiskHeld = true;
  owner.append("x");
  rig.run();
  assert.equal(owner.core.status.committed, 1);
  owner.release();
  rig.run();
  assert.equal(owner.core.status.committed, 2);
});

test("a member that answers nothing for two seconds is taken out, and comes back when it has caught up", () => {
  const { rig, nodes } = served(a, b);
  const [owner, follower] = nodes as [Node, Node];
  rig.kill(follower, false);
  owner.append("x");
  rig.pass(1_500);
  assert.equal(owner.core.status.committed, 1);
  assert.deepEqual(rig.znodes.inSync, [a, b]);
  rig.pass(1_000);
  assert.deepEqual(rig.znodes.inSync, [a]);
  assert.equal(owner.core.status.committed, 2);
  const again = rig.start(b, { disk: follower });
  rig.until(() => rig.znodes.inSync.length === 2, "the member is back");
  assert.deepEqual(bodies(again), ["x"]);
});

test("a member whose session is gone and to whom there is no link is taken out at once", () => {
  const { rig, nodes } = served(a, b);
  const [owner, follower] = nodes as [Node, Node];
  rig.kill(follower);
  owner.input({ kind: "live", replica: b, incarnation: undefined });
  rig.pass(100);
  assert.deepEqual(rig.znodes.inSync, [a]);
});

test("a member that answers, and brings nothing to its disk, is taken out after ten seconds", () => {
  const { rig, nodes } = served(a, b);
  const [owner, follower] = nodes as [Node, Node];
  follower.isDiskHeld = true;
  owner.append("x");
  rig.pass(9_000);
  assert.deepEqual(rig.znodes.inSync, [a, b]);
  rig.pass(2_000);
  assert.deepEqual(rig.znodes.inSync, [a]);
});

test("below minInSync appends are refused, and what was pending is said to be so before it is committed", () => {
  const { rig, nodes } = served(a, b, c);
  const [owner, ...followers] = nodes as [Node, Node, Node];
  owner.input({ kind: "assign", replicas: [a, b, c], owner: undefined, minInSync: 2 });
  for (const follower of followers) rig.kill(follower);
  owner.append("pending");
  rig.until(() => rig.znodes.inSync.length === 1, "the others are taken out");
  rig.run();
  const refusal = owner.effects.findIndex(
    (effect) => effect.kind === "role" && effect.role.kind === "serving" && !effect.role.isTaking,
  );
  const commit = owner.effects.findLastIndex(({ kind }) => kind === "committed");
  assert.ok(refusal > 0 && refusal < commit);
  owner.append("y");
  rig.run();
  assert.equal(owner.last("refuse")?.reason, "below-min-in-sync");
});

test("a shrink whose answer was lost is waited for until a reading settles it", () => {
  for (const fate of ["answer-lost", "request-lost"] as const) {
    const { rig, nodes } = served(a, b);
    const [owner, follower] = nodes as [Node, Node];
    rig.cut(owner, follower);
    owner.append("x");
    rig.pass(1_500);
    rig.fate = fate;
    owner.isUnreachable = true;
    rig.pass(2_000);
    assert.equal(rig.fate, "answered");
    assert.equal(owner.core.status.committed, 1, fate);
    assert.ok(owner.core.status.isChanging);
    owner.isUnreachable = false;
    rig.pass(1_000);
    assert.deepEqual(rig.znodes.inSync, [a]);
    assert.equal(owner.core.status.committed, 2);
    assert.equal(owner.role, "serving");
  }
});

test("a shrink that comes late meets another version, and changes nothing", () => {
  const { rig, nodes } = served(a, b);
  const [owner, follower] = nodes as [Node, Node];
  rig.cut(owner, follower);
  rig.fate = "request-lost";
  rig.until(() => rig.znodes.inSync.length === 1, "it was asked for again");
  const { version } = rig.znodes;
  rig.arrive();
  assert.equal(rig.znodes.version, version);
});

/** An owner alone, and a learner whose expansion was asked for and not answered. */
function expanding(fate: "answer-lost" | "request-lost"): { rig: Rig; owner: Node; learner: Node } {
  const rig = new Rig([a]);
  const owner = rig.start(a);
  rig.serving(owner);
  owner.input({ kind: "assign", replicas: [a, b], owner: undefined, minInSync: 1 });
  rig.run();
  rig.isOfInterest = (op) => {
    owner.isUnreachable ||= op.kind === "change-set" && op.live.length > 0;
    return owner.isUnreachable;
  };
  rig.fate = fate;
  const learner = rig.start(b);
  assert.equal(rig.fate, "answered", "it was asked for");
  assert.ok(owner.core.status.isChanging);
  rig.isOfInterest = () => false;
  return { rig, owner, learner };
}

test("a member to be added is waited for from before the change is asked for until it is settled", () => {
  for (const fate of ["answer-lost", "request-lost"] as const) {
    const { rig, owner, learner } = expanding(fate);
    learner.isDiskHeld = true;
    owner.append("y");
    rig.pass(300);
    assert.equal(owner.core.status.committed, 1, fate);
    owner.isUnreachable = false;
    rig.until(() => !owner.core.status.isChanging, "it is settled");
    if (fate === "request-lost") assert.equal(owner.core.status.committed, 2);
    else assert.deepEqual([owner.core.status.committed, rig.znodes.inSync], [1, [a, b]]);
    rig.arrive();
    learner.release();
    rig.until(() => rig.znodes.inSync.length === 2, "it is in the set");
    rig.run();
    assert.equal(owner.core.status.committed, 2);
  }
});

test("an expansion is refused when the incarnation that caught up is gone", () => {
  const rig = new Rig([a]);
  const owner = rig.start(a);
  rig.serving(owner);
  owner.input({ kind: "assign", replicas: [a, b], owner: undefined, minInSync: 1 });
  const learner = rig.start(b, { isLive: false });
  rig.pass(3_000);
  assert.deepEqual(rig.znodes.inSync, [a]);
  const asked = owner
    .all("multi")
    .filter(({ op }) => op.kind === "change-set" && op.live.length > 0);
  assert.deepEqual(
    asked.map(({ op }) => op.kind === "change-set" && op.live),
    asked.map(() => [learner.self]),
  );
  assert.ok(asked.length > 0 && asked.length < 5, "it is not asked for all the time");
  owner.append("x");
  rig.run();
  assert.equal(owner.core.status.committed, 2);
});

test("a cut is opened with a lease from every other member, and asks for one that has run out", () => {
  const { rig, nodes } = served(a, b);
  const [owner, follower] = nodes as [Node, Node];
  owner.append("x");
  rig.run();
  owner.input({ kind: "cut", request: 1 });
  rig.run();
  assert.deepEqual(owner.last("cut-opened"), {
    ...{ kind: "cut-opened", request: 1, epoch: 1, committed: 2 },
  });
  rig.nowMs += 600;
  owner.input({ kind: "cut", request: 2 });
  rig.run();
  assert.equal(owner.last("cut-opened")?.request, 2);
  rig.cut(owner, follower);
  rig.nowMs += 600;
  owner.input({ kind: "cut", request: 3 });
  rig.run();
  assert.equal(owner.last("cut-opened")?.request, 2);
  rig.pass(1_000);
  assert.deepEqual(owner.last("cut-refused"), {
    ...{ kind: "cut-refused", request: 3, reason: "no-lease", owner: owner.self },
  });
});

test("while a member is added a cut waits for its confirmation too", () => {
  const { rig, owner, learner } = expanding("request-lost");
  rig.cut(owner, learner);
  rig.nowMs += 600;
  owner.input({ kind: "cut", request: 1 });
  rig.pass(1_100);
  assert.equal(owner.last("cut-refused")?.reason, "no-lease");
});

test("a seal is committed when every member holds its files, and then the log may go", () => {
  const { rig, nodes } = served(a, b);
  const [owner, follower] = nodes as [Node, Node];
  owner.append("x");
  rig.run();
  follower.isFetchHeld = true;
  const sealedThrough = owner.core.sealable;
  assert.deepEqual(sealedThrough, { epoch: 1, position: 2 });
  const add = [{ uuid: "u1", detail: undefined }];
  const commit = sealOf(sealedThrough, add);
  owner.input({ kind: "commit", commit });
  rig.run();
  assert.deepEqual(rig.znodes.commits, []);
  const hold = follower.last("hold-segments");
  assert.deepEqual(hold?.add, add);
  follower.input({ kind: "segments-held", revision: hold?.revision ?? 0 });
  rig.run();
  assert.deepEqual(rig.znodes.commits, ["s1"]);
  assert.equal(owner.last("commit-settled")?.outcome, "committed");
  rig.pass(1_000);
  assert.deepEqual(follower.last("free")?.through, sealedThrough);
});

test("a seal whose outcome is unknown is asked for again, and counts once", () => {
  for (const fate of ["answer-lost", "request-lost"] as const) {
    const { rig, nodes } = served(a);
    const [owner] = nodes as [Node];
    rig.fate = fate;
    const sealedThrough = owner.core.sealable;
    const commit = sealOf(sealedThrough);
    owner.input({ kind: "commit", commit });
    rig.run();
    assert.equal(owner.all("commit-settled").length, 1);
    assert.equal(owner.last("commit-settled")?.outcome, "committed");
    assert.deepEqual(rig.znodes.commits, ["s1"]);
    const tries = owner.all("multi").filter(({ op }) => op.kind === "manifest");
    assert.deepEqual(
      tries.map(({ op }) => op.kind === "manifest" && op.isRepeat),
      [false, true],
    );
  }
});

test("nothing above the committed position is sealed", () => {
  const { rig, nodes } = served(a, b);
  const [owner, follower] = nodes as [Node, Node];
  follower.isDiskHeld = true;
  owner.append("x");
  rig.run();
  assert.equal(owner.core.sealable.position, 1);
  const sealedThrough = { epoch: 1, position: 2 };
  const commit = sealOf(sealedThrough);
  owner.input({ kind: "commit", commit });
  rig.run();
  assert.equal(owner.last("commit-settled")?.outcome, "refused");
});
