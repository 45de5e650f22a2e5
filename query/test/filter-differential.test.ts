// Goal: filters find the rows that plain code over strings finds, however columns are laid out.
// Method: a seed draws records, layouts and filters; a failure prints the seed and the filter, and SEED=<n> replays it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../../kit/src/prng.ts";
import { compileFilter } from "../src/filter/compile.ts";
import { RowSet } from "../src/filter/row-set.ts";
import { printFilter } from "../src/language/print-filter.ts";
import { drawFilter, drawPlainRecords } from "./filter-draw.ts";
import { matchesNaively } from "./filter-naive.ts";
import { memoryBlock } from "./memory-block.ts";

const seeds = Number(process.env["LOGKEEP_SOAK_SEEDS"] ?? 400);
const firstSeed = Number(process.env["SEED"] ?? 1);
const lastSeed = process.env["SEED"] === undefined ? seeds : firstSeed;

test("drawn filters find what plain code finds", () => {
  let found = 0;
  for (let seed = firstSeed; seed <= lastSeed; seed++) {
    const prng = new Prng(seed);
    const records = drawPlainRecords(prng, 1 + prng.below(100));
    const block = memoryBlock(records, () => prng.pick(["rows", "templates", "dict", "const"]));
    for (let i = 0; i < 20; i++) {
      const node = drawFilter(prng, 3);
      const asked = new RowSet(block.rowCount);
      for (let row = 0; row < block.rowCount; row++) if (prng.chance(0.2)) asked.remove(row);
      const wanted = [...asked.rows()].filter((row) =>
        matchesNaively(node, records[row] as (typeof records)[number]),
      );
      const filter = compileFilter(node);
      const about = `SEED=${seed} ${printFilter(node)}`;
      if (wanted.length > 0) assert.ok(filter.mayMatch(block), about);
      filter.narrow(block, asked);
      assert.deepEqual([...asked.rows()], wanted, about);
      found += wanted.length;
    }
  }
  assert.ok(found > 0);
});
