// What once went wrong with sessions and their ephemerals, here or in ZooKeeper.
import assert from "node:assert/strict";
import test from "node:test";

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
