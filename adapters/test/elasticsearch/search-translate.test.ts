// Goal: what Elasticsearch is asked for finds each record that a filter finds, and what is said to be exact no others.
// Method: a seed draws records and filters; clauses are met by plain code over the terms that Elasticsearch would
// index. A failure prints the seed and the filter, and SEED=<n> replays it.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { StreamLabels } from "../../../kit/src/block.ts";
import { Prng } from "../../../kit/src/prng.ts";
import type { FilterNode } from "../../../query/src/language/ast.ts";
import { parseQuery } from "../../../query/src/language/parse.ts";
import { printFilter } from "../../../query/src/language/print-filter.ts";
import { drawFilter, drawPlainRecords } from "../../../query/test/filter-draw.ts";
import { matchesNaively } from "../../../query/test/filter-naive.ts";
import type { PlainRecord } from "../../../query/test/memory-block.ts";
import { streamLabels } from "../../../storage/src/format/stream-labels.ts";
import { isExact } from "../../src/elasticsearch/search/clause.ts";
import { depthMax, leavesMax } from "../../src/elasticsearch/search/limits.ts";
import { translateFilter } from "../../src/elasticsearch/search/translate.ts";
import { type Indexed, indexed, meetsClause } from "./clause-naive.ts";

const seeds = Number(process.env["LOGKEEP_SOAK_SEEDS"] ?? 300);
const firstSeed = Number(process.env["SEED"] ?? 1);
const lastSeed = process.env["SEED"] === undefined ? seeds : firstSeed;

for (const hasIgnored of [false, true]) {
  const about = hasIgnored ? "where values are not indexed whole" : "where all values are indexed";
  test(`drawn filters are narrowed to no less than they find, ${about}`, () => {
    let exact = 0;
    let narrowed = 0;
    for (let seed = firstSeed; seed <= lastSeed; seed++) {
      const prng = new Prng(seed);
      const records = drawPlainRecords(prng, 40).map((record) => ({
        record,
        document: indexed(record, hasIgnored ? () => drawIndexed(prng) : undefined),
      }));
      for (let i = 0; i < 20; i++) {
        const node = drawFilter(prng, 3);
        const streams = prng.chance(0.5) ? streamsOf(records) : undefined;
        const { may, must } = translateFilter(node, { hasIgnored, streams });
        if (isExact({ may, must })) exact++;
        for (const { record, document } of records) {
          const failure = `SEED=${seed} ${printFilter(node)} on ${JSON.stringify(record)}`;
          const matches = matchesNaively(node, record);
          const mayMatch = meetsClause(may, document);
          if (matches) assert.ok(mayMatch, `may: ${failure}`);
          else assert.ok(!meetsClause(must, document), `must: ${failure}`);
          if (!mayMatch) narrowed++;
        }
      }
    }
    assert.ok(exact > 0 && narrowed > 0);
  });
}

function streamsOf(records: readonly { readonly record: PlainRecord }[]): StreamLabels[] {
  const texts = new Set(records.map(({ record }) => record["_stream"] ?? "{}"));
  return [...texts].map(streamLabels);
}

function drawIndexed(prng: Prng): Indexed {
  return prng.chance(0.7) ? "all" : prng.pick(["words", "pieces", "nothing"]);
}

const exactFilters: readonly (readonly [filter: string, isExact: boolean])[] = [
  ["*", true],
  ["error", true],
  ["err*", true],
  ["i(Error)", true],
  ["*rro*", true],
  ['"disk is full"', false],
  ['!"disk is full"', false],
  ['level:="error"', true],
  ["level:in(error, warn) !level:error", true],
  ["level:*", true],
  ['level:""', true],
  ["status:>500", false],
  ["name:>anna", true],
  ["~`disk`", false],
  ['{service="api",host!="a"}', true],
  ['{service=~"a.*"}', false],
  ["_time:2024-03-01", true],
  ["error or ~`disk`", false],
  ["error ~`disk`", false],
];

for (const [filter, exact] of exactFilters) {
  test(`${filter} is ${exact ? "asked as it is" : "narrowed"}`, () => {
    const translated = translateFilter(parseQuery(filter).filter, { hasIgnored: false });
    assert.equal(isExact(translated), exact);
  });
}

test("a pattern of a label is asked as it is where the streams are known", () => {
  const { filter } = parseQuery('{service=~"a.*",host!~"x|y"}');
  const streams = ['{host="x",service="api"}', '{service="api"}', '{service="b"}'].map(
    streamLabels,
  );
  const translated = translateFilter(filter, { hasIgnored: false, streams });
  assert.ok(isExact(translated));
  const found = streams.filter(({ text }) =>
    meetsClause(translated.may, indexed({ _stream: text })),
  );
  assert.deepEqual(
    found.map(({ text }) => text),
    ['{service="api"}'],
  );
});

const word = (text: string): FilterNode => {
  return { kind: "phrase", field: "_msg", text, ignoreCase: false };
};

test("a filter of many parts or levels asks no more than Elasticsearch takes", () => {
  const parts = Array.from({ length: 3 * leavesMax }, (_, i) => word(`w${i}`));
  const many = translateFilter({ kind: "and", parts }, { hasIgnored: false });
  assert.ok(!isExact(many));
  assert.ok(JSON.stringify(many.may).split('"term"').length <= leavesMax + 2);
  const any = translateFilter({ kind: "or", parts }, { hasIgnored: false });
  assert.equal(any.may, "all");
  let deep: FilterNode = word("deep");
  for (let level = 0; level < 90; level++) {
    const kind = level % 2 === 0 ? "and" : "or";
    deep = { kind, parts: [{ kind: "not", part: deep }, word(`w${level}`)] };
  }
  const { may } = translateFilter(deep, { hasIgnored: false });
  assert.ok(levelsOf(may) <= 2 * depthMax + 4, "Elasticsearch takes 30 levels");
});

function levelsOf(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  const own = Object.hasOwn(value, "bool") ? 1 : 0;
  return own + Math.max(0, ...Object.values(value).map(levelsOf));
}
