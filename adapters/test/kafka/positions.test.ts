import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  continueAt,
  offsetAfter,
  type PartitionKnown,
  type Start,
  startOf,
} from "../../src/kafka/positions.ts";

const range = { low: 10, high: 50 };

const starts: readonly (readonly [what: string, known: Partial<PartitionKnown>, start: Start])[] = [
  ["never read, from the earliest", {}, { kind: "read", at: 10, lost: 0 }],
  ["never read, from the latest", { from: "latest" }, { kind: "read", at: 50, lost: 0 }],
  ["read before", { resume: 30 }, { kind: "read", at: 30, lost: 0 }],
  [
    "read before, from the latest",
    { resume: 30, from: "latest" },
    { kind: "read", at: 30, lost: 0 },
  ],
  ["read to the end", { resume: 50 }, { kind: "read", at: 50, lost: 0 }],
  ["stored further than resumed", { resume: 30, held: 40 }, { kind: "read", at: 30, lost: 0 }],
  ["deleted meanwhile", { resume: 4, held: 7 }, { kind: "read", at: 10, lost: 6 }],
  [
    "offsets forgotten, records held",
    { held: 40, from: "latest" },
    { kind: "read", at: 10, lost: 0 },
  ],
];

for (const [what, known, start] of starts) {
  test(`a partition with offsets 10 to 50 that was ${what}`, () => {
    const full = { resume: undefined, held: 0, from: "earliest", ...known } as const;
    assert.deepEqual(startOf(full, range), start);
  });
}

for (const known of [
  { resume: 51, held: 0 },
  { resume: 20, held: 51 },
  { resume: undefined, held: 51 },
]) {
  test(`a partition that ends before what is stored of it is not read: ${JSON.stringify(known)}`, () => {
    const start = startOf({ ...known, from: "earliest" }, range);
    assert.equal(start.kind, "stop");
    assert.match(start.kind === "stop" ? start.reason : "", /up to offset 50 .* ends before 50/);
  });
}

test("reading goes on at the offset, or behind what was deleted, and never before it", () => {
  const property = fc.property(fc.nat(1000), fc.nat(1000), fc.nat(1000), (next, low, length) => {
    const found = continueAt(next, { low, high: low + length });
    if (next > low + length) assert.equal(found.kind, "stop");
    else {
      assert.ok(found.kind === "read");
      assert.equal(found.at, Math.max(next, low));
      assert.equal(found.lost, found.at - next);
    }
  });
  fc.assert(property, { seed: 3 });
});

test("the next offset is behind the last record, and behind its batch though compaction took the end of it", () => {
  const at = (offset: number, firstOffset: number, lastOffsetDelta: number) => ({
    offset: String(offset),
    batchContext: { firstOffset: String(firstOffset), lastOffsetDelta },
  });
  assert.equal(offsetAfter(7, []), 7);
  assert.equal(offsetAfter(7, [{ offset: "7" }, { offset: "8" }]), 9);
  assert.equal(offsetAfter(7, [at(7, 5, 2), at(8, 8, 4)]), 13);
  // All that is left of the batch lies before what was asked for.
  assert.equal(offsetAfter(7, [at(5, 5, 9)]), 15);
});
