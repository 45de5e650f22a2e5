import assert from "node:assert/strict";
import test from "node:test";
import { Prng } from "../../kit/src/prng.ts";
import { valuesOf } from "../src/table/column.ts";
import { compareNatural } from "../src/table/natural-order.ts";

function compare(a: string, b: string): number {
  const values = valuesOf([a, b]);
  return Math.sign(compareNatural({ values, index: 0 }, { values, index: 1 }));
}

const ordered = [
  "",
  "7",
  "7a",
  "10",
  "a",
  "a2",
  "a2b",
  "a02",
  "a10",
  "a10.5",
  "a10.12",
  "a123456789012345678901",
  "ab",
  "b1",
  "ü",
];

test("texts are in natural order: numbers within them by what they are worth", () => {
  for (const [i, a] of ordered.entries()) {
    for (const [j, b] of ordered.entries()) {
      assert.equal(compare(a, b), Math.sign(i - j), `${a} and ${b}`);
    }
  }
});

test("the order is one: what is before another is before all that is after it", () => {
  const prng = new Prng(4);
  const draw = () =>
    Array.from({ length: prng.below(6) }, () => "0019ab.-"[prng.below(8)]).join("");
  for (let round = 0; round < 20_000; round++) {
    const [a, b, c] = [draw(), draw(), draw()];
    assert.equal(compare(a, b), compare(b, a) === 0 ? 0 : -compare(b, a), `${a} ${b}`);
    assert.equal(compare(a, b) === 0, a === b, `${a} ${b}`);
    if (compare(a, b) < 0 && compare(b, c) < 0) assert.equal(compare(a, c), -1, `${a} ${b} ${c}`);
  }
});
