import assert from "node:assert/strict";
import test from "node:test";
import { ServiceError } from "../../kit/src/errors.ts";
import { conditionHolds, parseCondition } from "../src/condition.ts";
import { planThreshold, rangeOfTick, recordsOf, valuesOf } from "../src/threshold.ts";

const minute = 60_000;
const tick = Date.UTC(2026, 10, 21, 12, 0, 0);

for (const [text, value, holds] of [
  ["> 5", 5, false],
  ["> 5", 5.1, true],
  [">=5", 5, true],
  ["< -1.5", -2, true],
  ["<= 1e3", 1000, true],
  ["== 0", 0, true],
  ["!= 0", 1, true],
  ["!= 0", Number.NaN, false],
  ["< 5", Number.NaN, false],
] as const) {
  test(`condition: ${value} ${text} is ${holds}`, () => {
    assert.equal(conditionHolds(parseCondition(text), value), holds);
  });
}

test("threshold: the last stats pipe's first function is the value, its groups the labels", () => {
  const plan = planThreshold(
    "* | stats by (host, app) count() n | stats by (app) max(n) most, min(n) | sort by (most desc)",
  );
  const values = valuesOf(plan, [
    { app: "a", most: "12", "min(n)": "1" },
    { app: "b", most: "1.5e2" },
    { app: "c", most: "" },
    { app: "d" },
    { app: "e", most: "NaN" },
    { most: "4" },
  ]);
  assert.deepEqual(
    [...values].map(([key, { value }]) => [key, value]),
    [
      ['{"app":"a"}', 12],
      ['{"app":"b"}', 150],
      ['{"app":"c"}', Number.NaN],
      ['{"app":"d"}', Number.NaN],
      ['{"app":"e"}', Number.NaN],
      ["{}", 4],
    ],
  );
});

test("threshold: the key of a group has its labels sorted, whatever their names", () => {
  const plan = planThreshold('* | stats by (z, "__proto__", a) count() n');
  const row = Object.fromEntries([
    ["z", "1"],
    ["__proto__", "2"],
    ["a", 'x"y'],
    ["n", "1"],
  ]);
  const [[key, value] = []] = valuesOf(plan, [row]);
  assert.equal(key, '{"__proto__":"2","a":"x\\"y","z":"1"}');
  assert.deepEqual(Object.keys(value?.labels ?? {}), ["__proto__", "a", "z"]);
});

for (const query of [
  "error",
  "error | fields a",
  "error | stats by (a) uniq_values(b)",
  "error | stats by (a) count() n | fields n",
  "error | stats by (a) count() n | rename a as b",
  "error | stats by (a) count() n | top 3 by (a)",
]) {
  test(`threshold: ${query} gives no value to compare`, () => {
    assert.throws(
      () => planThreshold(query),
      (error) => error instanceof ServiceError && error.code === "query.invalid",
    );
  });
}

test("threshold: a group whose name every object has is empty where a record has no such field", () => {
  const plan = planThreshold("* | stats by (constructor) count() n");
  assert.deepEqual([...valuesOf(plan, [{ n: "1" }]).keys()], ["{}"]);
  const { query } = recordsOf(plan, { fromMs: tick - minute, toMs: tick }, {});
  assert.equal(query, 'constructor:""');
});

test("threshold: a tick asks its own interval, or all time for a query that names its time", () => {
  const plain = planThreshold("error | stats count()");
  assert.deepEqual(rangeOfTick(plain, 15_000, tick), { fromMs: tick - 15_000, toMs: tick });
  for (const query of ["_time:5m error | stats count()", "a or (b !_time:1h) | stats count()"]) {
    assert.deepEqual(rangeOfTick(planThreshold(query), 15_000, tick), { fromMs: 0, toMs: tick });
  }
});

test("threshold: the records behind a group are asked by filter, with times that stay", () => {
  const plan = planThreshold("_time:5m error | filter n:>3 | stats by (host, app) count()");
  const range = rangeOfTick(plan, 15_000, tick);
  const records = recordsOf(plan, range, { host: 'a"b' });
  assert.equal(records.fromMs, tick - 5 * minute);
  assert.equal(records.toMs, tick);
  assert.match(
    records.query,
    /^_time:\S+ .*\] error n:>3 host:="a\\"b" app:""$|^_time:.* error n:>3 host:="a\\"b" app:""$/,
  );
  assert.equal(records.query.includes("now"), false);
});

test("threshold: pipes that make fields leave the group out of its records' query", () => {
  const plan = planThreshold('error | extract "u=<u>" | stats by (u) count() | filter u:x');
  const records = recordsOf(plan, rangeOfTick(plan, minute, tick), { u: "x" });
  assert.deepEqual(records, { query: "error", fromMs: tick - minute, toMs: tick });
});
