import assert from "node:assert/strict";
import test from "node:test";
import { Prng } from "../../kit/src/prng.ts";
import { askContext } from "../src/engine/context.ts";
import {
  askFields,
  askFieldValues,
  askHistogram,
  askStreams,
  type Question,
} from "../src/engine/questions.ts";
import { LocalPool, shown, storeOf } from "./engine-blocks.ts";
import { drawRecords } from "./engine-draw.ts";
import { newestFirst } from "./engine-naive.ts";

const startMs = 1_700_000_000_000;
const prng = new Prng(31);
const records = drawRecords(prng, 300);
const store = storeOf(records, prng);
const range = { from: { ms: startMs, ns: 0 }, to: { ms: startMs + 3_000_000, ns: 0 } };
const question: Question = {
  source: store,
  pool: new LocalPool(store),
  tenant: "t",
  query: { filter: { kind: "any" }, pipes: [] },
  range,
};

function counted(texts: readonly string[]): { name: string; hits: number }[] {
  const found = Map.groupBy(
    texts.filter((text) => text !== ""),
    (text) => text,
  );
  return [...found]
    .map(([name, all]) => ({ name, hits: all.length }))
    .sort((a, b) => b.hits - a.hits || (a.name < b.name ? -1 : 1));
}

test("a histogram counts every record in its bucket, empty buckets too", async () => {
  const histogram = await askHistogram(question, { stepMs: 300_000, by: "level" });
  const first = Math.floor(startMs / 300_000) * 300_000;
  const expected = new Array<number>(histogram.counts.length).fill(0);
  for (const { time } of records) {
    const bucket = Math.floor((time.ms - first) / 300_000);
    expected[bucket] = (expected[bucket] as number) + 1;
  }
  assert.equal(histogram.startMs, first);
  assert.equal(histogram.counts.length, Math.ceil((range.to.ms - first) / 300_000));
  assert.deepEqual(histogram.counts, expected);
  const levels = new Map(histogram.series?.map(({ value, total }) => [value, total]));
  for (const level of ["error", "warn", "info", ""]) {
    const own = records.filter(({ fields }) => (fields["level"] ?? "") === level);
    assert.equal(levels.get(level), own.length);
  }
});

test("a histogram of too many buckets is refused", async () => {
  await assert.rejects(askHistogram(question, { stepMs: 1 }), { code: "query.invalid" });
});

test("fields, values and streams come with their counts, most first", async () => {
  const rows = records.map(shown);
  const fields = await askFields(question);
  assert.deepEqual(fields.values, counted(rows.flatMap((row) => Object.keys(row))));
  const levels = await askFieldValues(question, { field: "level", limit: 2 });
  assert.deepEqual(levels.values, counted(rows.map((row) => row["level"] ?? "")).slice(0, 2));
  const streams = await askStreams(question, { limit: 10 });
  assert.deepEqual(streams.values, counted(records.map(({ stream }) => stream)));
});

test("the context of a record is what its stream holds around it, oldest first", async () => {
  const record = records[100] as (typeof records)[number];
  const stream = records
    .filter((each) => each.stream === record.stream)
    .sort(newestFirst)
    .reverse();
  const sameTime = (each: typeof record) =>
    each.time.ms === record.time.ms && each.time.ns === record.time.ns;
  const first = stream.findIndex(sameTime);
  const last = stream.findLastIndex(sameTime);
  const context = await askContext(question, {
    time: record.time,
    stream: record.stream,
    before: 5,
    after: 7,
  });
  assert.deepEqual(context.before, stream.slice(Math.max(first - 5, 0), first).map(shown));
  assert.deepEqual(context.at, stream.slice(first, last + 1).map(shown));
  const times = stream.slice(last + 1, last + 8).map((each) => shown(each)["_time"]);
  assert.deepEqual(
    context.after.map((row) => row["_time"]),
    times,
  );
});
