// Goal: whose disk is full or slow does not own a shard that a member in sync with a sound disk could own, and shards do not
// go to and fro for it.
// Method: real cores over arrays for disks and a few fields for the coordinator; time passes when it is told to.
import assert from "node:assert/strict";
import test from "node:test";
import { strainedHandOverTimeoutMs } from "../../src/replication/core/limits.ts";
import { bodies, members, type Node, served } from "./rig.ts";

const [a, b, c] = members;

function strain(node: Node, isStrained: boolean): void {
  node.input({ kind: "strain", isStrained });
  node.rig.run();
}

test("an owner whose disk is strained gives the shard to a member whose disk is not", () => {
  const { rig, nodes } = served(a, b, c);
  const [owner, second, third] = nodes as [Node, Node, Node];
  owner.append("x");
  rig.run();
  strain(second, true);
  strain(owner, true);
  rig.serving(third);
  third.append("y");
  rig.run();
  assert.deepEqual(bodies(owner), ["x", "y"]);
  assert.deepEqual(rig.znodes.inSync, [a, b, c]);
});

/** A follower whose syncs are slow, or are not any more. */
function slow(node: Node, isSlow: boolean): void {
  node.input({ kind: "strain", isStrained: isSlow, isSlow });
  node.rig.run();
}

test("a member whose disk is slow is left out of a set that is large enough without it, until it is slow no more", () => {
  const { rig, nodes } = served(a, b, c);
  const [owner, second, third] = nodes as [Node, Node, Node];
  slow(second, true);
  rig.until(() => rig.znodes.inSync.length === 2, "it is left out");
  assert.deepEqual(rig.znodes.inSync, [a, c]);
  second.isDiskHeld = true;
  owner.append("x");
  rig.run();
  assert.equal(owner.core.status.committed, 2);
  second.release();
  rig.pass(30_000);
  // It has all there is, and would only be waited for.
  assert.deepEqual(bodies(second), ["x"]);
  assert.deepEqual(rig.znodes.inSync, [a, c]);
  // Two are no more than enough.
  slow(third, true);
  rig.pass(30_000);
  assert.deepEqual(rig.znodes.inSync, [a, c]);
  slow(second, false);
  rig.until(() => rig.znodes.inSync.includes(b), "it is let in again");
  rig.until(() => !rig.znodes.inSync.includes(c), "the other is left out");
  assert.equal(owner.role, "serving");
});

test("a member whose disk is slow stays where one disk alone would be left, and where the owner's is slow too", () => {
  const pair = served(a, b);
  slow(pair.nodes[1]!, true);
  pair.rig.pass(30_000);
  assert.deepEqual(pair.rig.znodes.inSync, [a, b]);
  const { rig, nodes } = served(a, b, c);
  for (const node of nodes) slow(node, true);
  rig.pass(30_000);
  assert.equal(rig.znodes.inSync.length, 3);
});

test("a member whose disk is slow comes into the set in place of one that leaves", () => {
  const { rig, nodes } = served(a, b, c);
  const moved = rig.start("4/d4");
  const order = { kind: "assign", replicas: [a, b, "4/d4"], owner: a, minInSync: 2 } as const;
  slow(moved, true);
  for (const node of [...nodes, moved]) node.input(order);
  rig.until(() => !rig.znodes.inSync.includes(c), "it has left");
  rig.until(() => !rig.znodes.inSync.includes("4/d4"), "the slow one is left out then");
  assert.deepEqual(rig.znodes.replicas, [a, b, "4/d4"]);
});

test("an owner that all members share the strain with stays", () => {
  const { rig, nodes } = served(a, b);
  const [owner, second] = nodes as [Node, Node];
  strain(second, true);
  strain(owner, true);
  rig.pass(30_000);
  assert.equal(owner.role, "serving");
  assert.equal(owner.all("multi").filter(({ op }) => op.kind === "hand-over").length, 0);
  strain(second, false);
  rig.serving(second);
});

test("the shard goes back to whom the balancer prefers once, when the strain is over", () => {
  const { rig, nodes } = served(a, b);
  const [owner, second] = nodes as [Node, Node];
  const order = { kind: "assign", replicas: [a, b], owner: a, minInSync: 1 } as const;
  for (const node of nodes) node.input(order);
  rig.run();
  strain(owner, true);
  rig.serving(second);
  const { epoch } = rig.znodes;
  rig.pass(30_000);
  assert.equal(second.role, "serving");
  assert.equal(rig.znodes.epoch, epoch);
  strain(owner, false);
  rig.serving(owner);
  rig.pass(30_000);
  assert.equal(rig.znodes.epoch, epoch + 1);
});

test("an owner whose disk hangs gives the shard up, and what it had not on disk is for the next to decide", () => {
  const { rig, nodes } = served(a, b);
  const [owner, second] = nodes as [Node, Node];
  owner.append("x");
  rig.run();
  owner.isDiskHeld = true;
  owner.append("y");
  rig.run();
  assert.equal(owner.core.status.committed, 2);
  strain(owner, true);
  rig.pass(strainedHandOverTimeoutMs - 500);
  assert.equal(rig.znodes.owner, owner.self);
  rig.serving(second);
  second.append("z");
  rig.until(() => second.core.status.committed === second.end.position, "all is committed");
  assert.deepEqual(bodies(second), ["x", "y", "z"]);
});

test("a strained owner that does not reach the coordinator goes on, and hands over when it does again", () => {
  const { rig, nodes } = served(a, b);
  const [owner, second] = nodes as [Node, Node];
  rig.pass(5_000);
  owner.isUnreachable = true;
  rig.isOfInterest = ({ kind }) => kind !== "hand-over";
  strain(owner, true);
  rig.pass(5_000);
  owner.append("x");
  rig.run();
  assert.equal(owner.core.status.committed, 2);
  assert.equal(owner.role, "serving");
  owner.isUnreachable = false;
  rig.serving(second);
});

test("of two that could take a shard over, the one whose disk is strained waits", () => {
  const { rig, nodes } = served(a, b, c);
  const [owner, second, third] = nodes as [Node, Node, Node];
  strain(second, true);
  rig.kill(owner);
  rig.serving(third);
  assert.equal(second.all("multi").length, 0);
});

test("a strained member takes over when nobody else can", () => {
  const { rig, nodes } = served(a, b);
  const [owner, second] = nodes as [Node, Node];
  strain(second, true);
  rig.kill(owner);
  rig.serving(second);
});
