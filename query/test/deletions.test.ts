// Goal: what deletes by query hide is in no answer, as if it had never been stored, whatever is asked and kept of answers before.
// Method: as in engine-differential.test.ts, with deletes drawn, too, and the records that they hide left out by plain code.
import assert from "node:assert/strict";
import test from "node:test";
import { Prng } from "../../kit/src/prng.ts";
import { momentCompare } from "../../kit/src/time.ts";
import { KeptAnswers } from "../src/engine/kept-answers.ts";
import { collectAnswer } from "../src/engine/questions.ts";
import { parseQuery } from "../src/language/parse.ts";
import { printFilter } from "../src/language/print-filter.ts";
import type { Cut, Deletion, Source } from "../src/source.ts";
import { drawLimits, LocalPool, storeOf, type TestRecord } from "./engine-blocks.ts";
import { drawFilter, drawQuery, drawRecords } from "./engine-draw.ts";
import { evaluate, matches, type Row, withId } from "./engine-naive.ts";

const seeds = Number(process.env["LOGKEEP_SOAK_SEEDS"] ?? 100);
const firstSeed = Number(process.env["SEED"] ?? 1);
const lastSeed = process.env["SEED"] === undefined ? seeds : firstSeed;
const allTime = { from: { ms: 0, ns: 0 }, to: { ms: 4e12, ns: 0 } };

/** The parts of a source with deletes over them. */
function deleted(source: Source, deletions: readonly Deletion[]): Source {
  return {
    async open(...asked): Promise<Cut> {
      const cut = await source.open(...asked);
      const ids = deletions.map(({ id }) => id).join(" ");
      const parts = cut.parts.map((part) => {
        return { ...part, deletions, identity: `${part.identity} ${ids}` };
      });
      return { ...cut, parts };
    },
  };
}

function drawDeletion(prng: Prng, records: readonly TestRecord[], id: number): Deletion {
  const [a, b] = [prng.pick(records), prng.pick(records)];
  const isOrdered = momentCompare(a.time, b.time) <= 0;
  const between = { from: (isOrdered ? a : b).time, to: (isOrdered ? b : a).time };
  const position = prng.pick(records).position + prng.below(2);
  const range = prng.chance(0.5) ? allTime : between;
  let filter = drawFilter(prng);
  // A delete's filter is looked at record by record.
  while (JSON.stringify(filter).includes("subquery")) filter = drawFilter(prng);
  return { id: `${id}`, filter: printFilter(filter), position, ...range };
}

function isHidden(record: TestRecord, { filter, from, to, position }: Deletion): boolean {
  const isWithin = momentCompare(record.time, from) >= 0 && momentCompare(record.time, to) < 0;
  if (!isWithin || record.position >= position) return false;
  return matches(parseQuery(filter).filter, withId(record));
}

test("drawn queries over parts with drawn deletes are answered as if those records were not there", async () => {
  let hidden = 0;
  for (let seed = firstSeed; seed <= lastSeed; seed++) {
    const prng = new Prng(seed);
    const records = drawRecords(prng, 20 + prng.below(100));
    const store = storeOf(records, prng);
    const query = drawQuery(prng);
    const pool = new KeptAnswers(new LocalPool(store, drawLimits(new Prng(seed))), 1 << 20);
    const ask = async (deletions: readonly Deletion[]): Promise<void> => {
      const about = `SEED=${seed} ${JSON.stringify({ query, deletions })}`;
      const left = records.filter((record) => !deletions.some((each) => isHidden(record, each)));
      hidden += records.length - left.length;
      const source = deleted(store, deletions);
      const asked = { source, pool, tenant: "t", query, range: allTime };
      const { rows } = await collectAnswer(asked).catch((thrown: unknown) => {
        throw new Error(about, { cause: thrown });
      });
      assert.deepEqual(comparable(rows), comparable(evaluate(query, left)), about);
    };
    const deletions = Array.from({ length: 1 + prng.below(3) }, (_, id) =>
      drawDeletion(prng, records, id),
    );
    // First what is there is asked for and kept; then it is deleted, one after the other.
    for (let count = 0; count <= deletions.length; count++) await ask(deletions.slice(0, count));
  }
  if (firstSeed < lastSeed) assert.ok(hidden > seeds * 5, `${hidden} records`);
});

/** Without empty values, in no certain order. */
function comparable(rows: readonly Row[]): string[] {
  return rows
    .map((row) =>
      JSON.stringify(
        Object.entries(row)
          .filter(([, value]) => value !== "")
          .sort(([a], [b]) => (a < b ? -1 : 1)),
      ),
    )
    .sort();
}
