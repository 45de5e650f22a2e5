import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { halvesOf, type Positioned, piecesOf } from "../src/source-pieces.ts";

function positioned(positions: readonly number[], through: number, size = 1): Positioned {
  return {
    count: positions.length,
    positionOf: (index) => BigInt(positions[index] as number),
    sizeOf: () => size,
    through: BigInt(through),
  };
}

const wide = { itemsMax: 1000, bytesMax: 1000 };

const cases: readonly (readonly [
  what: string,
  positions: readonly number[],
  ends: readonly bigint[],
  pieces: readonly (readonly [first: number, end: number, through: bigint])[],
])[] = [
  ["above all ends it is one piece", [5, 6, 7], [0n, 4n], [[0, 3, 9n]]],
  [
    "it is cut at each end",
    [5, 6, 7],
    [5n, 6n, 5n],
    [
      [0, 1, 5n],
      [1, 2, 6n],
      [2, 3, 9n],
    ],
  ],
  ["an end without items before it makes no piece", [7, 8], [6n], [[0, 2, 9n]]],
  ["an end beyond it cuts nothing", [7, 8], [9n, 20n], [[0, 2, 9n]]],
  [
    "records of one position stay together",
    [5, 6, 6, 6],
    [5n],
    [
      [0, 1, 5n],
      [1, 4, 9n],
    ],
  ],
  ["without items there is no piece", [], [3n], []],
];

for (const [what, positions, ends, pieces] of cases) {
  test(`a batch in pieces: ${what}`, () => {
    const made = piecesOf(positioned(positions, 9), ends, wide);
    assert.deepEqual(
      made.map(({ first, end, through }) => [first, end, through]),
      pieces,
    );
  });
}

const arbitrary = fc.record({
  steps: fc.array(fc.integer({ min: 0, max: 2 }), { maxLength: 60 }),
  ends: fc.array(fc.bigInt({ min: 0n, max: 90n }), { maxLength: 5 }),
  itemsMax: fc.integer({ min: 1, max: 20 }),
  bytesMax: fc.integer({ min: 1, max: 100 }),
});

function positionsOf(steps: readonly number[]): number[] {
  let position = 1;
  return steps.map((step) => {
    position += step;
    return position;
  });
}

test("pieces hold every item once and in order, and no end lies within one", () => {
  const property = fc.property(arbitrary, ({ steps, ends, itemsMax, bytesMax }) => {
    const positions = positionsOf(steps);
    const items = positioned(positions, 200, 7);
    let next = 0;
    let before = 0n;
    for (const { first, end, through } of piecesOf(items, ends, { itemsMax, bytesMax })) {
      assert.equal(first, next);
      assert.ok(end > first);
      assert.ok(items.positionOf(first) > before, "a position was torn apart");
      assert.ok(items.positionOf(end - 1) <= through);
      const within = ends.filter((held) => held >= items.positionOf(first) && held < through);
      assert.deepEqual(within, []);
      // At most one position beyond what the limit allows.
      const groupStart = positions.indexOf(positions[end - 1] as number);
      assert.ok(groupStart <= first || groupStart - first <= itemsMax);
      next = end;
      before = through;
    }
    assert.equal(next, positions.length);
  });
  fc.assert(property, { numRuns: 500, seed: 11 });
});

test("halves are the piece, and a piece of one position has none", () => {
  const property = fc.property(fc.array(fc.integer({ min: 0, max: 2 })), (steps) => {
    const positions = positionsOf(steps);
    if (positions.length === 0) return;
    const items = positioned(positions, 200);
    const piece = { first: 0, end: positions.length, through: 200n };
    const halves = halvesOf(items, piece);
    if (new Set(positions).size === 1) assert.equal(halves, undefined);
    else {
      assert.ok(halves !== undefined);
      const [low, high] = halves;
      assert.deepEqual([low.first, low.end, high.end], [0, high.first, positions.length]);
      assert.ok(items.positionOf(low.end - 1) === low.through);
      assert.ok(items.positionOf(high.first) > low.through);
    }
  });
  fc.assert(property, { numRuns: 300, seed: 12 });
});
