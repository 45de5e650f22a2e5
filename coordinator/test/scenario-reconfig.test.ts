// How an ensemble changes, story by story: it grows, its members are replaced, its leader leaves, and whoever crashes
// in the middle comes back to a change that is finished or forgotten.
import assert from "node:assert/strict";
import test from "node:test";

import { Stage } from "./sim/stage.ts";

test("an ensemble of one grows to three, and lives on without the one that was first", () => {
  const stage = new Stage({ voters: 1, newcomers: 2 });
  stage.start(1);
  stage.until("led", () => stage.member(1).role.kind === "leading");
  stage.write(1, 3);
  stage.start(2, 3);
  stage.led(1, 2, 3);
  stage.reconfigure([1, 2, 3]);
  stage.inForce([1, 2, 3], 1, 2, 3);
  stage.write(1, 3);
  stage.crash(1);
  stage.until("led anew", () => stage.ensemble.leader !== undefined);
  stage.write(stage.ensemble.leader?.peer ?? 0);
  stage.start(1);
  stage.whole();
});

test("who was replaced decides nothing any more, and follows without a vote", () => {
  const stage = new Stage({ newcomers: 1 });
  stage.start(1, 2, 3, 4);
  stage.led(3, 1, 2, 4);
  stage.reconfigure([2, 3, 4]);
  stage.inForce([2, 3, 4], 1, 2, 3, 4);
  stage.write(3);
  stage.crash(3);
  stage.until("led anew", () => stage.ensemble.leader !== undefined);
  stage.write(stage.ensemble.leader?.peer ?? 0);
  stage.whole();
  // Of the three that vote one is left, beside the one that did.
  stage.crash(2);
  stage.run(30_000);
  assert(!stage.member(1).isServing && !stage.member(4).isServing);
  stage.start(2, 3);
  stage.whole();
});

test("a leader that leaves hands over to a follower that has all, without an election", () => {
  const stage = new Stage({ newcomers: 0 });
  stage.start(1, 2, 3);
  stage.led(3, 1, 2);
  stage.write(3, 5);
  const { elections } = stage.ensemble;
  const { now } = stage.ensemble.timeline;
  stage.sent.length = 0;
  stage.reconfigure([1, 2]);
  stage.until("handed over", () => stage.ensemble.elections > elections);
  const leader = stage.ensemble.leader?.peer ?? 0;
  assert(leader !== 3 && stage.ensemble.timeline.now - now < 1000, "as slow as an election");
  stage.led(leader, 3 - leader, 3);
  assert.equal(stage.ensemble.elections, elections + 1);
  stage.write(leader, 5);
  stage.whole();
});

test("observers come to vote, and voters to observe", () => {
  const stage = new Stage({ voters: 3, observers: 1, newcomers: 1 });
  stage.start(1, 2, 3, 4, 5);
  stage.led(3, 1, 2, 5);
  stage.until("observed", () => stage.member(4).role.kind === "observing");
  stage.reconfigure([2, 3, 4], [1, 5]);
  const roles = () => [1, 2, 3, 4, 5].map((id) => stage.member(id).role.kind).join(" ");
  stage.until("so", () => roles() === "observing following leading following observing");
  stage.crash(3);
  stage.until("led anew", () => stage.ensemble.leader !== undefined);
  stage.write(stage.ensemble.leader?.peer ?? 0);
  stage.start(3);
  stage.whole();
});

test("a change is taken only with a quorum of its voters up to date, and one at a time", () => {
  const stage = new Stage({ voters: 1, newcomers: 2 });
  stage.start(1);
  stage.until("led", () => stage.member(1).role.kind === "leading");
  stage.reconfigure([1, 2, 3]);
  stage.run(5000);
  stage.write(1);
  stage.start(2, 3);
  stage.led(1, 2, 3);
  stage.reconfigure([1, 2]);
  stage.reconfigure([1, 3]);
  stage.inForce([1, 2], 1, 2, 3);
  stage.run(5000);
  assert.equal(stage.ensemble.checker.changes, 1);
  stage.reconfigure([1, 3]);
  stage.inForce([1, 3], 1, 2, 3);
  stage.whole();
});

test("what follows a change waits for a quorum of both ensembles", () => {
  const stage = new Stage({ newcomers: 2 });
  stage.start(1, 2, 3, 4, 5);
  stage.led(3, 1, 2, 4, 5);
  stage.write(3);
  stage.split([3], [4, 5]);
  const { length } = stage.ensemble.checker.committed;
  // The links are down, and the leader does not know it yet.
  stage.reconfigure([3, 4, 5]);
  const last = stage.submit(3, 3);
  stage.run(150);
  assert(stage.ensemble.checker.committed.length <= length + 1, "committed by one ensemble only");
  assert(!stage.acked.has(last));
  stage.heal();
  stage.whole();
});

test("a change that a quorum has is finished by the next leader", () => {
  const stage = new Stage({ newcomers: 1 });
  stage.start(1, 2, 3, 4);
  stage.led(3, 1, 2, 4);
  stage.write(3);
  // All have it in their logs, and the leader goes before it is in force anywhere.
  let acks = 0;
  stage.onReceived = (_, kind) => {
    if (kind !== "ack" || ++acks < 2) return false;
    stage.crash(3);
    return true;
  };
  stage.reconfigure([1, 2, 4]);
  stage.until("gone", () => stage.member(3).isDown);
  stage.inForce([1, 2, 4], 1, 2, 4);
  stage.until("led anew", () => stage.ensemble.leader !== undefined);
  stage.write(stage.ensemble.leader?.peer ?? 0, 3);
  stage.start(3);
  stage.inForce([1, 2, 4], 3);
  stage.whole();
});

test("a change that only a dead leader has is forgotten, also by the leader", () => {
  const stage = new Stage({ newcomers: 1 });
  stage.start(1, 2, 3, 4);
  stage.led(3, 1, 2, 4);
  stage.write(3);
  stage.onSending = (member, kind) => {
    if (kind !== "proposal") return false;
    stage.crash(member.peer);
    return true;
  };
  stage.reconfigure([3, 4]);
  stage.until("gone", () => stage.member(3).isDown);
  stage.until("led anew", () => stage.ensemble.leader !== undefined);
  stage.write(stage.ensemble.leader?.peer ?? 0, 3);
  stage.start(3);
  stage.whole();
  assert.equal(stage.ensemble.checker.changes, 0);
  const { ensembles } = stage.member(3).disk;
  assert.deepEqual(ensembles?.seen.voters.ids, [1, 2, 3]);
  stage.reconfigure([1, 2, 4]);
  stage.inForce([1, 2, 4], 1, 2, 3, 4);
  stage.whole();
});

test("when all crash in the middle of a change, all come back to one ensemble", () => {
  for (let ms = 0; ms < 60; ms += 3) {
    const stage = new Stage({ newcomers: 2 });
    stage.start(1, 2, 3, 4, 5);
    stage.led(3, 1, 2, 4, 5);
    stage.write(3);
    stage.reconfigure([3, 4, 5]);
    stage.submit(3, 3);
    stage.run(ms);
    stage.crash(1, 2, 3, 4, 5);
    stage.start(1, 2, 3, 4, 5);
    stage.until("led anew", () => stage.ensemble.leader !== undefined);
    stage.write(stage.ensemble.leader?.peer ?? 0);
    stage.whole();
    const known = new Set(stage.ensemble.all.map(({ disk }) => `${disk.ensembles?.active.text}`));
    assert.equal(known.size, 1, `after ${ms} ms: ${[...known].join(" / ")}`);
  }
});

test("an ensemble that took the place of another needs none of it", () => {
  const stage = new Stage({ newcomers: 3 });
  stage.start(1, 2, 3, 4, 5, 6);
  stage.led(3, 1, 2, 4, 5, 6);
  stage.write(3, 3);
  stage.reconfigure([4, 5, 6]);
  stage.inForce([4, 5, 6], 1, 2, 3, 4, 5, 6);
  stage.until("led anew", () => (stage.ensemble.leader?.peer ?? 0) > 3);
  stage.crash(1, 2, 3, 4, 5, 6);
  stage.start(1, 2, 3);
  stage.run(30_000);
  assert(![1, 2, 3].some((id) => stage.member(id).isServing), "the old ensemble serves");
  stage.start(4, 5);
  stage.until("led by the new", () => (stage.ensemble.leader?.peer ?? 0) > 3);
  stage.write(stage.ensemble.leader?.peer ?? 0);
  stage.start(6);
  stage.whole();
});

test("who crashes with a leader's snapshot on its disk knows of the change in it, or has none of it", () => {
  for (const isCutOff of [true, false]) {
    const stage = new Stage({ newcomers: 1, recentMax: 2 });
    stage.start(1, 2, 3, 4);
    stage.led(3, 1, 2, 4);
    stage.crash(1);
    stage.write(3, 5);
    // The change is on the disks of its leader and of a newcomer, so it is not committed.
    stage.crash(2);
    const zxidLast = (id: number) => stage.member(id).disk.zxidLast;
    const change = zxidLast(3) + 1;
    stage.reconfigure([4]);
    stage.until("proposed", () => zxidLast(3) === change && zxidLast(4) === change);
    stage.crash(3, 4);
    // Of the snapshot with it one is told, and of what follows the snapshot perhaps not.
    stage.onReceived = (member, kind) => {
      if (member.peer !== 1 || kind !== "snap") return false;
      if (isCutOff) member.pause(1000);
      return true;
    };
    const before = zxidLast(1);
    stage.start(1, 3, 4);
    stage.until("offered", () => stage.onReceived === undefined);
    if (isCutOff) stage.run(500);
    else stage.until("installed", () => zxidLast(1) > before);
    stage.crash(1, 3, 4);
    stage.start(1, 2);
    stage.run(10_000);
    assert.equal(stage.member(1).isServing, isCutOff, "decided by the old ensemble alone");
    if (isCutOff) stage.write(stage.ensemble.leader?.peer ?? 0, 3);
    stage.start(3, 4);
    stage.whole();
    assert.equal(stage.ensemble.checker.changes, isCutOff ? 0 : 1);
    stage.write(stage.ensemble.leader?.peer ?? 0, 3);
    stage.whole();
  }
});
