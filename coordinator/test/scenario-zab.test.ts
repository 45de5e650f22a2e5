// Goal: what once went wrong in ZooKeeper's replication does not go wrong here.
// Method: each story is played by an ensemble whose disks, links and crashes the test holds in its hand, with the
// simulator's checker looking on; where the bug can be planted, the same story then finds it.
import assert from "node:assert/strict";
import test from "node:test";

import * as coreReal from "../src/core/peer.ts";
import { faults } from "./sim/faults.ts";
import type { Core } from "./sim/member.ts";
import { corePlanted } from "./sim/plant.ts";
import { Stage } from "./sim/stage.ts";

function story(id: string, what: string, play: (core: Core) => void): void {
  test(`ZOOKEEPER-${id}: ${what}`, () => play(coreReal));
  const plants = faults.find(({ bug }) => bug === `ZOOKEEPER-${id}`)?.plants ?? [];
  if (plants.length === 0) return;
  test(`ZOOKEEPER-${id} is found by its story when it is there`, async (context) => {
    const { core, remove } = await corePlanted(plants);
    context.after(remove);
    assert.throws(
      () => play(core),
      // A story that only stands still would prove nothing.
      ({ name, message }: Error) =>
        ["Violation", "AssertionError"].includes(name) && !message.startsWith("never"),
    );
  });
}

/** 3 leads 2 and has written what 1 has not, then dies; 2 is about to lead 1. */
function successor(core: Core): Stage {
  const stage = new Stage({ core });
  stage.start(1, 2, 3);
  stage.led(3, 1, 2);
  stage.write(3);
  stage.whole();
  stage.split([1], [2, 3]);
  stage.write(3, 5);
  stage.until(
    "told",
    () => stage.member(2).state.txns.length === stage.member(3).state.txns.length,
  );
  stage.crash(3);
  stage.sent.length = 0;
  return stage;
}

story("3911", "a leader serves only when its history is on the disks of a quorum", (core) => {
  const stage = successor(core);
  stage.member(1).lanes.hold("log");
  stage.heal();
  stage.until("at newLeader", () => stage.sent.includes("newLeader 2"));
  stage.run(2000);
  assert(!stage.member(2).isServing, "it serves with its history on one disk");
  assert(!stage.sent.includes("ackNewLeader 1"));
  stage.member(1).lanes.release();
  stage.led(2, 1);
  stage.crash(2, 1);
  // The one that had it all before stays dead: the other took over everything.
  stage.start(1, 3);
  stage.led(1, 3);
  stage.whole();
});

story("4646", "a txn that the log was only handed is acknowledged by nobody", (core) => {
  const stage = new Stage({ core });
  stage.start(1, 2, 3);
  stage.led(3, 1, 2);
  stage.write(3);
  for (const id of [1, 2]) stage.member(id).lanes.hold("log");
  const late = stage.submit(3, 3);
  stage.run(1000);
  assert(!stage.acked.has(late), "acknowledged by one disk");
  stage.crash(3, 2, 1);
  // Each has what its disk had come to: one of them leads.
  stage.start(1, 2);
  stage.whole();
});

story(
  "4643",
  "the epoch is written after the txns that belong to it, so nobody with less wins",
  (core) => {
    const stage = successor(core);
    stage.member(1).lanes.hold("log");
    stage.heal();
    stage.until("at newLeader", () => stage.sent.includes("newLeader 2"));
    const { currentEpoch } = stage.ensemble.disks.get(1) ?? assert.fail();
    stage.run(2000);
    assert.equal(
      stage.ensemble.disks.get(1)?.currentEpoch,
      currentEpoch,
      "written before its txns",
    );
    stage.crash(1);
    stage.start(1, 3);
    stage.whole();
  },
);

test("ZOOKEEPER-4643: txns without their epoch on disk are no reason to cut what is committed", () => {
  const stage = successor(coreReal);
  stage.member(1).lanes.hold("epoch");
  stage.heal();
  stage.run(2000);
  stage.crash(1, 2);
  stage.start(1, 3);
  stage.led(3, 1);
  stage.start(2);
  stage.led(3, 1, 2);
  stage.whole();
});

for (const lane of ["epoch", "log"] as const) {
  const what = `the leader's history is acknowledged before any txn after it, with a slow ${lane}`;
  story("4685", what, (core) => {
    const stage = new Stage({ core });
    stage.start(1, 2, 3);
    stage.led(3, 1, 2);
    stage.write(3, 3);
    stage.whole();
    stage.crash(1, 2, 3);
    stage.start(2, 3);
    stage.led(3, 2);
    stage.write(3, 3);
    stage.sent.length = 0;
    stage.start(1);
    stage.until("promised", () => stage.sent.includes("ackEpoch 1"));
    stage.member(1).lanes.hold(lane);
    for (let i = 0; i < 5; i++) {
      stage.write(3, 2);
      stage.run(100);
    }
    const acks = (): string[] => stage.sent.filter((each) => /^ack(NewLeader)? 1$/.test(each));
    assert.deepEqual(acks(), []);
    stage.member(1).lanes.release();
    stage.led(3, 1, 2);
    stage.write(3);
    stage.until("acknowledged", () => acks().length > 1);
    assert.equal(acks()[0], "ackNewLeader 1");
    stage.whole();
  });
}

for (const recentMax of [2, 500]) {
  test(`ZOOKEEPER-4785, 3023, 4394: a follower joins under load, with ${recentMax} txns at hand, and misses none`, () => {
    const stage = new Stage({ recentMax });
    stage.start(1, 2, 3);
    stage.led(3, 1, 2);
    for (let round = 0; round < 8; round++) {
      stage.crash(1);
      stage.write(3, 1 + round);
      stage.start(1);
      // Writes go on through each of its steps: promise, history, newLeader, upToDate.
      while (stage.member(1).role.kind !== "following") {
        stage.submit(round % 2 === 0 ? 3 : 2);
        stage.run(3);
      }
      stage.led(3, 1, 2);
      stage.whole();
    }
  });
}

story(
  "4925",
  "a follower that joined late leads later and passes on a history without a hole",
  (core) => {
    const stage = new Stage({ core });
    stage.start(1, 2);
    stage.led(2, 1);
    stage.write(2, 10);
    stage.start(3);
    stage.led(2, 1, 3);
    stage.split([1], [2, 3]);
    // In groups, since it was what is committed together that was lost.
    for (let i = 0; i < 5; i++) stage.write(2, 4);
    stage.until(
      "told",
      () => stage.member(3).state.txns.length === stage.member(2).state.txns.length,
    );
    stage.crash(2);
    stage.sent.length = 0;
    stage.heal();
    stage.led(3, 1);
    assert(stage.sent.includes("diff 3"), "the stale one gets txns, no snapshot");
    stage.whole();
  },
);

test("ZOOKEEPER-2845: what a deposed leader had in its log goes without a restart, and trees stay equal", () => {
  const stage = new Stage();
  stage.start(1, 2, 3);
  stage.led(3, 1, 2);
  stage.write(3, 3);
  stage.split([3], [1, 2]);
  const lost = stage.submit(3, 4);
  stage.led(2, 1);
  stage.write(2, 2);
  stage.heal();
  stage.led(2, 1, 3);
  assert.equal(stage.member(3).life, 1);
  assert(stage.sent.includes("trunc 2") && !stage.acked.has(lost));
  stage.whole();
});

for (let piece = 1; piece <= 3; piece++) {
  test(`ZOOKEEPER-3642, 2872: a snapshot that ends after piece ${piece} of 3 leaves a member what it was`, () => {
    const stage = new Stage({ recentMax: 2 });
    stage.start(1, 2, 3);
    stage.led(3, 1, 2);
    stage.write(3, 2);
    stage.crash(1);
    stage.write(3, 20);
    const { disk } = stage.member(1);
    const before = [disk.zxidLast, disk.currentEpoch];
    let left = piece;
    stage.onReceived = (member, kind) => {
      if (member.peer !== 1 || kind !== "piece" || --left > 0) return false;
      stage.crash(1);
      return true;
    };
    stage.start(1);
    stage.until("cut off", () => stage.member(1).isDown);
    assert.deepEqual([disk.zxidLast, disk.currentEpoch], before);
    // It has its old history, and no more: the others cannot be led by it.
    stage.crash(2);
    stage.start(1);
    stage.led(3, 1);
    stage.whole();
  });
}

test("ZOOKEEPER-3104: a leader gives nobody its history before a quorum has promised its epoch", () => {
  const stage = new Stage({ voters: 5 });
  for (const id of [1, 2, 3, 4]) stage.start(id);
  for (const id of [1, 2]) stage.member(id).lanes.hold("epoch");
  stage.until("asked for promises", () => stage.sent.includes("leaderInfo 4"));
  stage.until("promised by one", () => stage.sent.includes("ackEpoch 3"));
  stage.run(500);
  assert(!stage.sent.some((each) => each.startsWith("newLeader")));
  for (const id of [1, 2]) stage.member(id).lanes.release();
  stage.led(4, 1, 2, 3);
  stage.write(4, 2);
  stage.start(5);
  stage.led(4, 5);
  stage.whole();
});

story(
  "1154",
  "a member that proposed what nobody else has gives it up, and keeps what is committed",
  (core) => {
    const stage = new Stage({ core });
    stage.start(1, 2, 3);
    stage.led(3, 1, 2);
    stage.write(3, 3);
    stage.split([3], [1, 2]);
    stage.submit(3, 5);
    stage.run(100);
    stage.crash(3);
    stage.led(2, 1);
    stage.write(2, 7);
    stage.heal();
    stage.start(3);
    stage.led(2, 1, 3);
    stage.whole();
  },
);

test("ZOOKEEPER-1156, 1489, 2418: a log that is cut and goes on, through crashes at each step, lacks nothing", () => {
  for (const step of ["trunc", "proposal", "newLeader", "upToDate"]) {
    const stage = new Stage();
    stage.start(1, 2, 3);
    stage.led(3, 1, 2);
    stage.write(3, 3);
    stage.split([3], [1, 2]);
    stage.submit(3, 5);
    stage.led(2, 1);
    stage.write(2, 4);
    stage.onReceived = (member, kind) => {
      if (member.peer !== 3 || kind !== step) return false;
      stage.crash(3);
      return true;
    };
    stage.heal();
    stage.until(`crashed at ${step}`, () => stage.member(3).isDown);
    stage.write(2, 2);
    stage.start(3);
    stage.led(2, 1, 3);
    stage.whole();
    // What is on its disk is what counts: the others are gone, and it leads.
    stage.crash(1, 2);
    stage.crash(3);
    stage.start(3, 1);
    stage.led(3, 1);
    stage.whole();
  }
});

story("2307", "an epoch is promised once the promise is on disk, and never led twice", (core) => {
  const stage = new Stage({ core });
  stage.start(1, 2, 3);
  stage.led(3, 1, 2);
  stage.write(3);
  stage.whole();
  stage.crash(1, 2, 3);
  stage.start(1, 2);
  stage.member(1).lanes.hold("epoch");
  stage.until("asked for a promise", () => stage.sent.includes("leaderInfo 2"));
  stage.run(500);
  stage.crash(1, 2);
  stage.start(1, 3);
  stage.whole();
  stage.start(2);
  stage.whole();
});

test("ZOOKEEPER-4352: an ensemble grows from one to three while its leader changes, and all of it is everywhere", () => {
  const alone = new Stage({ voters: 1, observers: 1 });
  alone.start(1);
  alone.led(1);
  alone.write(1, 30);
  alone.member(1).snapshotTake();
  alone.run(1000);
  alone.crash(1);
  assert.equal(alone.member(1).disk.log.length, 0, "no txns at hand, nothing but a snapshot");
  // A member without history counts once it has one: it learns before it votes.
  alone.start(1, 2);
  alone.whole();
  alone.crash(1, 2);
  const { disks } = alone.ensemble;
  const stage = new Stage({ disks, session: 2 });
  for (const txn of alone.ensemble.checker.committed) stage.ensemble.checker.inherits(txn);
  const count = alone.ensemble.checker.committed.length;
  stage.start(1, 2);
  stage.until("led", () => stage.ensemble.leader !== undefined);
  const first = stage.ensemble.leader?.peer ?? assert.fail();
  const other = 3 - first;
  stage.onReceived = (member, kind) => {
    if (member.peer !== 3 || kind !== "piece") return false;
    stage.crash(first);
    return true;
  };
  stage.start(3);
  stage.until("cut off", () => stage.member(first).isDown);
  stage.start(first);
  stage.whole();
  assert.equal(stage.member(3).state.txns.length, count);
  // The newcomer's history is as good as anyone's now.
  stage.crash(other);
  stage.until("led", () => stage.ensemble.leader !== undefined);
  stage.write(stage.ensemble.leader?.peer ?? assert.fail());
  stage.start(other);
  stage.whole();
});

test("a member whose disk was emptied is nobody's quorum before it has a history again", () => {
  const stage = new Stage();
  stage.start(1, 2, 3);
  stage.led(3, 1, 2);
  stage.write(3);
  stage.whole();
  stage.split([1], [2, 3]);
  stage.write(3, 5);
  stage.crash(3, 2, 1);
  // What was acknowledged since is on one disk that is left; and that one is not up.
  stage.wipe(2);
  stage.start(1, 2);
  stage.heal();
  stage.run(30_000);
  assert(!stage.member(1).isServing && !stage.member(2).isServing);
  stage.start(3);
  stage.led(3, 1, 2);
  stage.whole();
});

test("what a member acknowledged before its disk was emptied does not count once it is back with less", () => {
  const stage = new Stage();
  stage.start(1, 2, 3);
  stage.led(3, 1, 2);
  stage.write(3, 3);
  stage.whole();
  for (const id of [2, 3]) stage.member(id).lanes.hold("log");
  const last = stage.submit(3, 4);
  stage.until("on its disk", () => stage.member(1).disk.log.length === 8);
  stage.run(200);
  stage.crash(1);
  stage.wipe(1);
  stage.start(1);
  stage.until("installed", () => stage.member(1).disk.snapshot.zxid > 0);
  // It has the leader's tree, and what follows never comes to its disk; nor to that of the other follower.
  for (const id of [1, 2]) {
    stage.member(id).disk.logLane.length = 0;
    stage.crash(id);
  }
  stage.member(3).lanes.release();
  stage.run(300);
  assert(!stage.acked.has(last), "acknowledged, and on one disk only");
  stage.crash(3);
  stage.start(1, 2);
  stage.whole();
});

test("who has a snapshot and has not come to promise its epoch leads none below it", () => {
  const stage = new Stage();
  stage.start(1, 2, 3);
  stage.led(3, 1, 2);
  stage.write(3, 3);
  stage.whole();
  stage.crash(2);
  stage.wipe(2);
  stage.start(2);
  stage.member(2).lanes.hold("epoch");
  stage.until("installed", () => stage.member(2).disk.snapshot.zxid > 0);
  stage.run(100);
  stage.crash(3, 1);
  stage.wipe(3);
  stage.start(3);
  stage.run(3000);
  stage.member(2).lanes.release();
  stage.run(20_000);
  assert(!stage.member(2).isServing && !stage.member(3).isServing);
  stage.start(1);
  stage.whole();
});

test("ZOOKEEPER-4712, 4541: leadership that changes thirty times leaves no old leader's work behind", () => {
  const stage = new Stage();
  stage.start(1, 2, 3);
  for (let round = 0; round < 30; round++) {
    stage.until("led", () => stage.ensemble.leader !== undefined);
    const leader = stage.ensemble.leader?.peer ?? assert.fail();
    stage.write(leader, 2);
    stage.submit(leader, 2);
    const { elections } = stage.ensemble;
    stage.member(leader).input({ kind: "resign", next: "look" });
    // What comes too late is for nobody, and for no later leadership of the same process.
    stage.submit(leader, 2);
    stage.until("led anew", () => stage.ensemble.elections > elections);
  }
  stage.whole();
  assert(stage.ensemble.elections > 30 && stage.ensemble.all.every(({ life }) => life === 1));
});
