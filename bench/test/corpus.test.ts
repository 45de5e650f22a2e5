import assert from "node:assert/strict";
import { test } from "node:test";
import { generateCorpus } from "../src/corpus.ts";

test("one seed gives one corpus, of the span that was asked for", () => {
  const options = { records: 500, endMs: 1_700_000_000_000, spanMs: 60_000 };
  const lines = [...generateCorpus({ seed: 1, ...options })].map(String);
  assert.deepEqual([...generateCorpus({ seed: 1, ...options })].map(String), lines);
  assert.notDeepEqual([...generateCorpus({ seed: 2, ...options })].map(String), lines);
  const times = lines.map((line) => (JSON.parse(line) as { _time: string })._time);
  assert.deepEqual(
    [...times].map((time) => time.slice(0, 23)).sort(),
    times.map((time) => time.slice(0, 23)),
  );
  assert.match(times.at(-1)!, /^2023-11-14T22:13:20\.000\d{3}Z$/);
});

test("records are of about 300 bytes, of every service, and a fair part of them are errors", () => {
  const lines = [...generateCorpus({ seed: 3, records: 4_000 })].map(String);
  const mean = lines.reduce((sum, line) => sum + line.length, 0) / lines.length;
  assert.ok(mean > 240 && mean < 360, `${mean} bytes`);
  const records = lines.map((line) => JSON.parse(line) as { service: string; level: string });
  assert.equal(new Set(records.map(({ service }) => service)).size, 6);
  const errors = records.filter(({ level }) => level === "error").length;
  assert.ok(errors > 200 && errors < 800, `${errors} errors`);
});
