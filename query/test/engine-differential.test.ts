// Goal: the engine answers as plain code over objects does, however records lie in parts, blocks and layouts.
// Method: a seed draws records, a store of them and a query; a failure prints the seed and the query, and SEED=<n> replays it.
import assert from "node:assert/strict";
import test from "node:test";
import { Prng } from "../../kit/src/prng.ts";
import { KeptAnswers } from "../src/engine/kept-answers.ts";
import { collectAnswer } from "../src/engine/questions.ts";
import type { Query } from "../src/language/ast.ts";
import { drawLimits, LocalPool, storeOf } from "./engine-blocks.ts";
import { drawQuery, drawRecords } from "./engine-draw.ts";
import { evaluate, type Row } from "./engine-naive.ts";

const seeds = Number(process.env["LOGKEEP_SOAK_SEEDS"] ?? 300);
const firstSeed = Number(process.env["SEED"] ?? 1);
const lastSeed = process.env["SEED"] === undefined ? seeds : firstSeed;
const allTime = { from: { ms: 0, ns: 0 }, to: { ms: 4e12, ns: 0 } };

test("drawn queries over drawn stores are answered as plain code answers them", async () => {
  let rowsSeen = 0;
  for (let seed = firstSeed; seed <= lastSeed; seed++) {
    const prng = new Prng(seed);
    const records = drawRecords(prng, 20 + prng.below(180));
    const store = storeOf(records, prng);
    const query = drawQuery(prng);
    const pool = new KeptAnswers(new LocalPool(store, drawLimits(new Prng(seed))), 1 << 20);
    const about = () => `SEED=${seed} ${JSON.stringify(query)}`;
    const ask = () =>
      collectAnswer({ source: store, pool, tenant: "t", query, range: allTime }).catch(
        (thrown: unknown) => {
          throw new Error(about(), { cause: thrown });
        },
      );
    const { rows, summary } = await ask();
    const expected = comparable(evaluate(query, records), query);
    assert.deepEqual(comparable(rows, query), expected, about());
    assert.equal(summary.status, "complete");
    // The second time it is merged from what was kept of the first.
    assert.deepEqual(comparable((await ask()).rows, query), expected, about());
    assert.equal(store.counts.released, store.counts.opened);
    rowsSeen += rows.length;
  }
  // Were most answers empty, agreeing would mean nothing.
  if (firstSeed < lastSeed) assert.ok(rowsSeen > seeds * 5, `${rowsSeen} rows`);
});

/** Without empty values; rows of groups come in no certain order. */
function comparable(rows: readonly Row[], query: Query): string[] {
  const texts = rows.map((row) =>
    JSON.stringify(
      Object.entries(row)
        .filter(([, value]) => value !== "")
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    ),
  );
  const unordered = ["stats", "uniq", "union"];
  const isOrdered = !query.pipes.some(({ kind }) => unordered.includes(kind));
  return isOrdered ? texts : texts.sort();
}
