import assert from "node:assert/strict";
import test from "node:test";
import type { ClassHolding, NextDrop } from "../../storage/src/shard/retention-view.ts";
import { joinedRetention } from "../src/retention-views.ts";

function holding(
  tenant: string,
  rows: number,
  oldestMs: number,
  nextDrop?: NextDrop,
): ClassHolding {
  const what = { tenant, retentionClass: "default", internal: false, retentionMs: 1000 };
  return { ...what, rows, bytes: rows * 10, oldest: { ms: oldestMs, ns: 0 }, nextDrop };
}

const drop = (atMs: number, rows: number): NextDrop => ({
  ...{ atMs, reason: "age", rows, bytes: rows * 10 },
});

test("what several nodes hold is told as one, with the oldest record and the first drop of all", () => {
  const view = joinedRetention(
    [
      { holdings: [holding("b", 5, 70)], segmentBytes: 50, bytesMax: 1000 },
      {
        holdings: [holding("a", 1, 40), holding("b", 7, 60, drop(500_000, 3))],
        ...{ segmentBytes: 80, bytesMax: 1000 },
      },
      {
        holdings: [holding("b", 2, 90, drop(490_000, 2))],
        ...{ segmentBytes: 20, bytesMax: 500 },
      },
    ],
    0,
  );
  assert.deepEqual(view, {
    holdings: [holding("a", 1, 40), holding("b", 14, 60, drop(490_000, 5))],
    ...{ segmentBytes: 150, bytesMax: 2500 },
  });
});

test("what goes a minute later than the first does not go with it", () => {
  const views = [drop(0, 3), drop(160_000, 4), drop(100_000, 8)].map((each) => {
    return { holdings: [holding("a", 20, 1, each)], segmentBytes: 0, bytesMax: 0 };
  });
  assert.deepEqual(joinedRetention(views, 100_000).holdings[0]?.nextDrop, drop(0, 11));
});
