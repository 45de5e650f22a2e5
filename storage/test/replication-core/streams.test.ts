// Goal: entries come to each other replica once and in order, whatever is lost on the way, and within bounds.
// Method: real cores over arrays for disks and a few fields for the coordinator; time passes when it is told to.
import assert from "node:assert/strict";
import test from "node:test";
import {
  messageBytesMax,
  messageEntriesMax,
  windowBytesMax,
} from "../../src/replication/core/limits.ts";
import { bodies, members, type Node, Rig, served } from "./rig.ts";

const [a, b] = members;

test("entries that were lost on a link that lasts are sent again", () => {
  const { rig, nodes } = served(a, b);
  const [owner, follower] = nodes as [Node, Node];
  rig.isDropped = ({ kind }) => kind === "append";
  owner.append("x");
  rig.run();
  rig.isDropped = () => false;
  owner.append("y");
  rig.run();
  assert.deepEqual(bodies(follower), ["x", "y"]);
  assert.equal(owner.core.status.committed, 3);
});

test("the last entry, lost on a link that lasts, is missed at the next sign of life", () => {
  const { rig, nodes } = served(a, b);
  const [owner, follower] = nodes as [Node, Node];
  rig.isDropped = ({ kind }) => kind === "append" || kind === "ack";
  owner.append("x");
  rig.run();
  rig.isDropped = () => false;
  rig.pass(600);
  assert.deepEqual(bodies(follower), ["x"]);
  assert.equal(owner.core.status.committed, 2);
});

test("an answer to a take-over that was lost is asked for again", () => {
  for (const lost of ["announce", "promised", "match", "matched"] as const) {
    const rig = new Rig([a, b]);
    let dropped = 0;
    rig.isDropped = ({ kind }) => kind === lost && dropped++ === 0;
    const owner = rig.start(a);
    rig.start(b);
    rig.until(() => owner.role === "serving" && rig.znodes.inSync.length === 2, lost);
    assert.equal(dropped > 0, true);
  }
});

test("no more is on its way to a replica than its window holds, and the rest follows", () => {
  const { rig, nodes } = served(a, b);
  const [owner, follower] = nodes as [Node, Node];
  follower.isDiskHeld = true;
  const count = windowBytesMax / messageBytesMax;
  for (let i = 0; i < count + 4; i++) owner.append(i, messageBytesMax);
  rig.run();
  assert.equal(bodies(follower).length, count);
  follower.release();
  rig.run();
  assert.equal(bodies(follower).length, count + 4);
  assert.equal(owner.core.status.committed, count + 5);
});

test("beyond what may be uncommitted appends are held back until some are", () => {
  const { rig, nodes } = served(a, b);
  const [owner, follower] = nodes as [Node, Node];
  follower.isDiskHeld = true;
  for (let i = 0; i < 17; i++) owner.append(i, messageBytesMax);
  rig.run();
  assert.equal(owner.last("refuse")?.reason, "window");
  assert.equal(owner.all("refuse").length, 1);
  follower.release();
  rig.run();
  owner.append("again", messageBytesMax);
  rig.run();
  assert.equal(owner.all("refuse").length, 1);
});

test("thousands of small entries that gathered while a link was cut go out in messages that a link takes", () => {
  const { rig, nodes } = served(a, b);
  const [owner, follower] = nodes as [Node, Node];
  rig.cut(owner, follower);
  const count = 3 * messageEntriesMax;
  for (let i = 0; i < count; i++) owner.append(i);
  rig.run();
  const sent: number[] = [];
  rig.isDropped = (message) => {
    if (message.kind === "append") sent.push(message.entries.length);
    return false;
  };
  rig.join(owner, follower);
  rig.until(() => owner.core.status.committed === count + 1, "all are committed");
  assert.deepEqual(
    bodies(follower),
    Array.from({ length: count }, (_, i) => i),
  );
  assert.equal(Math.max(...sent), messageEntriesMax);
  // A header and a body each, in a message of at most 4,096 arrays.
  assert.ok(messageEntriesMax * 2 <= 4_096);
});

test("a member that was away gets what it lacks from the owner's log, in parts", () => {
  const { rig, nodes } = served(a, b);
  const [owner, follower] = nodes as [Node, Node];
  rig.cut(owner, follower);
  rig.until(() => rig.znodes.inSync.length === 1, "it is taken out");
  const count = 24;
  for (let i = 0; i < count; i++) owner.append(i, messageBytesMax / 8);
  rig.run();
  rig.join(owner, follower);
  rig.until(() => rig.znodes.inSync.length === 2, "it is back");
  assert.equal(bodies(follower).length, count);
  assert.ok(owner.all("read").length >= 3);
});

test("a follower that stops is taken out at once", () => {
  const { rig, nodes } = served(a, b);
  const [owner, follower] = nodes as [Node, Node];
  follower.input({ kind: "stop" });
  rig.run();
  assert.deepEqual(rig.znodes.inSync, [a]);
  owner.append("x");
  rig.run();
  assert.equal(owner.core.status.committed, 2);
});

test("a follower that finds damage is emptied as a learner, looks at all of its copies anew, and comes back", () => {
  const { rig, nodes } = served(a, b);
  const [owner, follower] = nodes as [Node, Node];
  owner.append("x");
  rig.run();
  const sealedThrough = owner.core.sealable;
  const add = [{ uuid: "u1", detail: undefined }];
  const commit = { id: "s1", sealedThrough, add, remove: [], detail: undefined };
  owner.input({ kind: "commit", commit: { ...commit, kind: "seal" } });
  rig.run();
  owner.append("y");
  rig.run();
  follower.input({ kind: "damage-found", reason: "a checksum" });
  rig.until(() => follower.all("reset-log").length === 1, "it is emptied");
  rig.until(() => rig.znodes.inSync.length === 2, "it is back");
  assert.deepEqual(bodies(follower), ["y"]);
  const asked = follower.all("hold-segments").filter((each) => each.add.length > 0);
  assert.deepEqual(
    asked.map(({ isWhole }) => isWhole),
    [false, true],
  );
});

test("an owner that finds damage gives the shard away, and is repaired by the next", () => {
  const { rig, nodes } = served(a, b);
  const [owner, second] = nodes as [Node, Node];
  owner.append("x");
  rig.run();
  owner.input({ kind: "damage-found", reason: "a checksum" });
  rig.serving(second);
  rig.until(() => owner.all("reset-log").length === 1, "it is emptied");
  rig.until(() => rig.znodes.inSync.length === 2, "it is back");
  assert.deepEqual(bodies(owner), ["x"]);
});

test("an owner that found damage gives the shard up while a member is silent, and that one takes it over", () => {
  const { rig, nodes } = served(a, b);
  const [owner, second] = nodes as [Node, Node];
  owner.append("x");
  rig.run();
  rig.cut(owner, second);
  owner.input({ kind: "damage-found", reason: "a checksum" });
  rig.pass(1_500);
  assert.deepEqual(rig.znodes.inSync, [a, b]);
  rig.serving(second);
  assert.deepEqual(bodies(second), ["x"]);
  rig.join(owner, second);
  rig.until(() => owner.all("reset-log").length === 1, "it is emptied");
  rig.until(() => rig.znodes.inSync.length === 2, "it is back");
  assert.deepEqual(bodies(owner), ["x"]);
});

test("an owner that cannot read what it inherited and nobody else has gives the shard up", () => {
  const { rig, nodes } = served(a, b);
  const [owner, second] = nodes as [Node, Node];
  owner.append("x");
  rig.run();
  rig.cut(owner, second);
  owner.append("never committed");
  rig.run();
  rig.kill(owner);
  const back = rig.start(a, { disk: owner, isRotten: true });
  rig.serving(second);
  back.isRotten = false;
  assert.deepEqual(bodies(second), ["x"]);
  rig.until(() => back.all("reset-log").length === 1, "it is emptied");
  rig.until(() => rig.znodes.inSync.length === 2, "it is back");
  assert.deepEqual(bodies(back), ["x"]);
});

test("copies that could not be had are asked for again", () => {
  const rig = new Rig([a]);
  const owner = rig.start(a);
  rig.serving(owner);
  const learner = rig.start(b);
  learner.isFetchHeld = true;
  owner.input({ kind: "assign", replicas: [a, b], owner: undefined, minInSync: 1 });
  rig.pass(500);
  assert.deepEqual(rig.znodes.inSync, [a]);
  const { revision } = learner.last("hold-segments")!;
  learner.input({ kind: "segments-failed", revision });
  learner.isFetchHeld = false;
  rig.pass(1_500);
  assert.equal(learner.all("hold-segments").length, 2);
  assert.deepEqual(rig.znodes.inSync, [a, b]);
});

test("a message of a link that is no more is not heard", () => {
  const { rig, nodes } = served(a, b);
  const [owner, follower] = nodes as [Node, Node];
  const old = follower.linkTo(a) ?? 0;
  rig.cut(owner, follower);
  rig.join(owner, follower);
  const end = follower.end.position;
  const entry = { epoch: 1, position: end + 1, previousEpoch: 1, previousPosition: end };
  follower.input({
    ...{ kind: "message", from: a, link: old },
    message: {
      ...{ kind: "append", epoch: 1, previous: { epoch: 1, position: end }, committed: 0 },
      entries: [{ ...entry, committed: 0, kind: "batch", bytes: 1, body: "old" }],
      ...{ sealedThrough: { epoch: 0, position: 0 }, sealedRevision: 0, sentMs: 0 },
    },
  });
  rig.run();
  assert.equal(follower.end.position, end);
});
