// What once went wrong with sessions and their ephemerals, here or in ZooKeeper.
import assert from "node:assert/strict";
import test from "node:test";

import { none } from "../src/tree/znodes.ts";
import { Stage } from "./sim/stage.ts";
import { open, TreeHarness } from "./tree-harness.ts";

const ephemeral = { op: "create", path: "/e", data: null, acl: open, flags: 1 } as const;
const touched = { op: "setData", path: "/e", data: null, version: -1 } as const;
const impossible = { op: "check", path: "/absent", version: -1 } as const;

test("a multi that fails does not hide an ephemeral that is under way from its session's end", () => {
  const harness = new TreeHarness(1n);
  harness.propose(ephemeral);
  harness.propose({ op: "multi", ops: [touched, impossible] });
  const close = harness.propose({ op: "closeSession" });
  assert.deepEqual(close, { type: "closeSession", paths: ["/e"] });
});

test("an ephemeral that is deleted and created again while both are under way goes with its session", () => {
  const harness = new TreeHarness(1n);
  harness.propose(ephemeral);
  harness.propose({ op: "delete", path: "/e", version: -1 });
  harness.propose(ephemeral);
  // The first create is applied, and the delete: the second create is all there is.
  harness.applyNext();
  harness.applyNext();
  assert.deepEqual(harness.propose({ op: "closeSession" }), {
    type: "closeSession",
    paths: ["/e"],
  });
});

test("ZOOKEEPER-1367: after a restart of everyone a session has its whole timeout, and ends with its ephemerals when it is silent", () => {
  const stage = new Stage();
  stage.start(1, 2, 3);
  stage.led(3, 1, 2);
  const has = (id: number, path: string) => stage.member(id).state.tree.znodes.find(path) !== none;
  for (const [session, path] of [
    [7, "/kept"],
    [8, "/lost"],
  ] as const) {
    const begun = stage.ask(1, session, { op: "createSession", timeoutMs: 3000 });
    stage.until("begun", () => stage.acked.has(begun));
    const made = stage.ask(1, session, { ...ephemeral, path });
    stage.until("made", () => stage.acked.has(made));
  }
  stage.crash(1, 2, 3);
  // Longer than the timeout: nobody was there to be spoken to.
  stage.run(20_000);
  stage.start(1, 2, 3);
  stage.led(3, 1, 2);
  stage.run(2000);
  assert(has(3, "/kept") && has(3, "/lost"), "a new leader grants the whole timeout");
  // One speaks at a learner: that is enough.
  const until = stage.ensemble.timeline.now + 10_000;
  while (stage.ensemble.timeline.now < until) {
    stage.member(1).hear(7, 3000);
    stage.run(500);
  }
  for (const id of [1, 2, 3]) {
    assert(has(id, "/kept"), "it speaks, and is expired");
    assert(!has(id, "/lost"), "it is silent, and lives on");
  }
  stage.until("ended", () => [1, 2, 3].every((id) => !has(id, "/kept")));
  assert.equal(stage.ensemble.checker.sessions.endedCount, 2);
});

test("a leader that was paused for longer than every timeout expires nobody, and neither does the next", () => {
  const stage = new Stage();
  stage.start(1, 2, 3);
  stage.led(3, 1, 2);
  const begun = stage.ask(2, 7, { op: "createSession", timeoutMs: 3000 });
  stage.until("begun", () => stage.acked.has(begun));
  stage.member(3).pause(30_000);
  const speak = (ms: number): void => {
    const until = stage.ensemble.timeline.now + ms;
    while (stage.ensemble.timeline.now < until) {
      stage.member(2).hear(7, 3000);
      stage.run(300);
    }
  };
  stage.until("led anew", () => stage.ensemble.leader?.peer === 2);
  speak(40_000);
  stage.whole();
  assert.equal(stage.ensemble.checker.sessions.endedCount, 0);
});

test("Keeper 65198: the digest that goes with a session's end is that of the tree without its ephemerals", () => {
  const harness = new TreeHarness(1n, 2n);
  // All of it is under way at once, so the end is foreseen over what is not applied yet.
  for (const path of ["/e", "/f", "/g"]) harness.propose({ ...ephemeral, path });
  harness.propose({ op: "delete", path: "/f", version: -1 });
  harness.propose({ op: "closeSession" });
  harness.propose({ ...ephemeral, path: "/e" }, 2n);
  harness.propose({ op: "closeSession" }, 2n);
  harness.applyAll();
  assert.equal(harness.tree.digests.mismatches, 0);
  assert.equal(harness.tree.sessions.ephemeralCount, 0);
});

test("what a client left where it was before stays refused when the member it went to is gone as well", () => {
  const stage = new Stage();
  stage.start(1, 2, 3);
  stage.led(3, 1, 2);
  const begun = stage.ask(1, 7, { op: "createSession", timeoutMs: 30_000 });
  stage.until("begun", () => stage.acked.has(begun));
  stage.member(1).pause(1500);
  const late = stage.ask(1, 7, { ...ephemeral, path: "/late" });
  stage.member(2).revalidate(7, 30_000);
  stage.run(100);
  const made = stage.ask(2, 7, { ...ephemeral, path: "/made" });
  stage.until("made", () => stage.acked.has(made));
  stage.crash(2);
  stage.run(4000);
  // The checker holds that requests of a session take effect in order.
  assert(!stage.acked.has(late));
  assert.equal(stage.member(3).state.tree.znodes.find("/late"), none);
});
