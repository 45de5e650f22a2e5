import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../../kit/src/prng.ts";
import { type Completion, complete } from "../src/language/complete.ts";
import { printQuery } from "../src/language/print.ts";
import { QueryDraw } from "./language-draw.ts";

/** The place is where the bar `¦` stands. */
function at(text: string): Completion {
  const cursor = text.indexOf("¦");
  return complete(text.replace("¦", ""), cursor);
}

interface Expected {
  /** Some of the words that are offered. */
  readonly words?: readonly string[];
  /** Words that are not. */
  readonly without?: readonly string[];
  readonly fields?: "name" | "name:" | undefined;
  readonly valuesOf?: string;
}

const cases: readonly (readonly [string, Expected])[] = [
  ["¦", { words: ["not", "in("], without: ["and"], fields: "name:" }],
  ["lev¦", { without: ["in("], fields: "name:" }],
  ["error ¦", { words: ["and", "or", "not"], fields: "name:" }],
  ["error an¦d", { words: ["and"], without: ["or"], fields: "name:" }],
  ["level:¦", { words: ["in(", "range("], without: ["and"], valuesOf: "level" }],
  ["level:=er¦", { valuesOf: "level" }],
  ['level:!="er¦', { without: ["in("], valuesOf: "level" }],
  ["level:in(error, ¦", { without: ["and"], valuesOf: "level" }],
  ["level:(error or ¦", { words: ["or"], valuesOf: "level" }],
  ['"a b":¦', { valuesOf: "a b" }],
  ["_time:¦", { words: ["5m", "day_range["], without: ["in("] }],
  ["user:in(error | ¦", { words: ["fields", "uniq"], fields: "name:" }],
  ["user:in(error | fields ¦", { fields: "name" }],
  ["a:eq_field(¦", { fields: "name" }],
  ["{¦", { fields: "name" }],
  ["{service=¦", { valuesOf: "service" }],
  ['{service="we¦', { valuesOf: "service" }],
  ['{service="web"} ¦', { words: ["and"], fields: "name:" }],
  ["* | ¦", { words: ["stats", "sort", "count(", "stream_context"], fields: "name:" }],
  ["* | so¦", { words: ["sort"], without: ["stats"], fields: "name:" }],
  ["* | fields a, ¦", { fields: "name" }],
  ["* | stats ¦", { words: ["by", "count(", "quantile("], without: ["sort"] }],
  ["* | stats by (¦", { fields: "name" }],
  ["* | stats by (_time:¦", { words: ["5m", "month"] }],
  ["* | stats by (a) ¦", { words: ["count(", "sum("] }],
  ["* | stats by (a) sum(¦", { fields: "name" }],
  ["* | stats by (a) sum(b) ¦", { words: ["as", "if"], without: ["count("] }],
  ["* | stats by (a) sum(b) if (¦", { words: ["not"], fields: "name:" }],
  ["* | stats sum(b) s, ¦", { words: ["max("] }],
  ["* | sort by (a) ¦", { words: ["limit", "partition by", "desc"], fields: "name" }],
  ["* | math a + ¦", { words: ["round("], fields: "name" }],
  ["* | math round(¦", { words: ["round("], fields: "name" }],
  ["* | where level:¦", { words: ["in("], valuesOf: "level" }],
  ["* | filter ¦", { words: ["not"], fields: "name:" }],
  ["* | unpack_json ¦", { words: ["from", "result_prefix"], fields: "name" }],
  ["* | limit ¦", { without: ["by"] }],
  ["* | join by (a) (¦", { words: ["not"], fields: "name:" }],
  ["* | join by (¦", { fields: "name" }],
  ["* | union (error | st¦", { words: ["stats", "stream_context"], fields: "name:" }],
  ["error # level:¦", { words: ["and"], fields: "name:" }],
];

for (const [text, { words = [], without = [], fields, valuesOf }] of cases) {
  test(`at the bar of ${JSON.stringify(text)} stands what can stand there`, () => {
    const found = at(text);
    const texts = found.items.map((item) => item.text);
    for (const word of words) assert.ok(texts.includes(word), `${word} in ${texts.join(" ")}`);
    for (const word of without) assert.ok(!texts.includes(word), `${word} not in ${texts}`);
    const colon = found.fields?.colon === true ? "name:" : "name";
    assert.equal(found.fields === undefined ? undefined : colon, fields);
    assert.equal(found.valuesOf, valuesOf);
  });
}

test("what was begun is taken the place of, to the end of its word", () => {
  assert.deepEqual(
    [at("error lev¦el").from, at("error lev¦el").to, at("error lev¦el").begun],
    [6, 11, "lev"],
  );
  assert.deepEqual([at('level:"er¦').from, at('level:"er¦').begun], [6, "er"]);
  assert.deepEqual([at("a | ¦").from, at("a | ¦").to], [4, 4]);
});

test("every place of every text has an answer", () => {
  for (let seed = 0; seed < 200; seed++) {
    const prng = new Prng(seed);
    const text = printQuery(new QueryDraw(prng).query());
    for (let i = 0; i < 10; i++) {
      const cursor = prng.below(text.length + 2) - 1;
      const { from, to } = complete(text, cursor);
      assert.ok(from >= 0 && from <= to && to <= text.length, `${seed} ${cursor}`);
    }
  }
});
