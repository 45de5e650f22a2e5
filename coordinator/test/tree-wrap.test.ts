// Goal: counters that reach the end of Java's int go on below zero, in txns, Stats, names and digests alike.
// Method: a txn sets the counter near its end, as no test can by counting; requests then step over it.
import assert from "node:assert/strict";
import test from "node:test";

import type { Txn } from "../src/wire/txns.ts";
import { open, TreeHarness } from "./tree-harness.ts";

const most = 2 ** 31 - 1;
const least = -(2 ** 31);

/** A tree with `/a`, brought to where this txn brings it. */
function harnessAt(txn: Txn): TreeHarness {
  const harness = new TreeHarness(1n);
  harness.create("/a");
  harness.tree.apply({ sessionId: 1n, zxid: 2 ** 32 + 3, timeMs: 5 }, txn);
  return harness;
}

function statAt(harness: TreeHarness, path: string, offset: number): number {
  return harness.tree.znodes.stat(harness.tree.znodes.find(path)).readInt32BE(offset);
}

test("the version after the greatest is the least, and may be asked for", () => {
  const harness = harnessAt({ type: "setData", path: "/a", data: null, version: most });
  const set = { op: "setData", path: "/a", data: Buffer.from("x") } as const;
  assert.equal(harness.run({ ...set, version: most - 1 }), "BADVERSION");
  assert.equal(harness.run({ ...set, version: most }), "OK");
  assert.equal(statAt(harness, "/a", 32), least);
  assert.equal(harness.run({ ...set, version: least }), "OK");
  assert.equal(statAt(harness, "/a", 32), least + 1);
  assert.equal(harness.tree.digests.mismatches, 0);
});

test("a version of -1 is reached like any other, and then only -1 itself, which means any, fits it", () => {
  const harness = harnessAt({ type: "setData", path: "/a", data: null, version: -2 });
  const set = { op: "setData", path: "/a", data: null } as const;
  assert.equal(harness.run({ ...set, version: -2 }), "OK");
  assert.equal(statAt(harness, "/a", 32), -1);
  assert.equal(harness.run({ op: "delete", path: "/a", version: -2 }), "BADVERSION");
  assert.equal(harness.run({ ...set, version: -1 }), "OK");
  assert.equal(statAt(harness, "/a", 32), 0);
});

test("the version of an ACL wraps as that of data does", () => {
  const harness = harnessAt({ type: "setACL", path: "/a", acl: open, version: most });
  const request = { op: "setACL", path: "/a", acl: open, version: most } as const;
  assert.equal(harness.run(request), "OK");
  assert.equal(statAt(harness, "/a", 40), least);
  assert.equal(harness.run(request), "BADVERSION");
  assert.equal(harness.tree.digests.mismatches, 0);
});

test("sequential names go on below zero, whether or not the create before is applied", () => {
  const first = { type: "create", path: "/a/x", data: null, acl: open, ephemeral: false } as const;
  const harness = harnessAt({ ...first, parentCversion: most - 1 });
  const create = { op: "create", path: "/a/s", data: null, acl: open, flags: 2 } as const;
  const names: unknown[] = [];
  for (let step = 0; step < 5; step++) {
    const txn = harness.propose(create);
    names.push([
      (txn as { path: string }).path,
      (txn as { parentCversion: number }).parentCversion,
    ]);
    if (step !== 1) harness.applyAll();
  }
  assert.deepEqual(names, [
    ["/a/s2147483646", most],
    ["/a/s2147483647", least],
    ["/a/s-2147483648", least + 1],
    ["/a/s-2147483647", least + 2],
    ["/a/s-2147483646", least + 3],
  ]);
  assert.equal(harness.tree.znodes.creates(harness.tree.znodes.find("/a")), least + 3);
  assert.equal(harness.tree.digests.mismatches, 0);
});

test("a name's ten digits count the sign of a small negative number", () => {
  const first = { type: "create", path: "/a/x", data: null, acl: open, ephemeral: false } as const;
  const harness = harnessAt({ ...first, parentCversion: most });
  harness.tree.znodes.createsSet(harness.tree.znodes.find("/a"), -7);
  const txn = harness.propose({ op: "create", path: "/a/s", data: null, acl: open, flags: 2 });
  assert.equal((txn as { path: string }).path, "/a/s-000000007");
});

test("the cversion of a Stat, twice the creates less the children, wraps as Java's int", () => {
  const first = { type: "create", path: "/a/x", data: null, acl: open, ephemeral: false } as const;
  const harness = harnessAt({ ...first, parentCversion: 2 ** 30 });
  assert.equal(statAt(harness, "/a", 36), most);
  harness.run({ op: "delete", path: "/a/x", version: -1 });
  assert.equal(statAt(harness, "/a", 36), least);
});
