import assert from "node:assert/strict";
import test from "node:test";
import { ServiceError } from "../../kit/src/errors.ts";
import { Prng } from "../../kit/src/prng.ts";
import type { StatsFunction } from "../src/language/ast.ts";
import { quantileError } from "../src/limits.ts";
import { createState } from "../src/stats/create.ts";
import type { StatsState } from "../src/stats/function.ts";
import { ValuesColumn, valuesOf } from "../src/table/column.ts";
import { numberOfText, parseNumber, printNumber } from "../src/table/number.ts";
import { TableBlock } from "../src/table/table-block.ts";
import { View } from "../src/table/view.ts";

function node(name: StatsFunction["name"], more: Partial<StatsFunction> = {}): StatsFunction {
  return {
    name,
    args: ["x"],
    phi: undefined,
    limit: undefined,
    filter: undefined,
    as: "r",
    ...more,
  };
}

function viewOf(texts: readonly string[]): View {
  const columns = new Map([["x", new ValuesColumn("rows", valuesOf(texts))]]);
  return View.table(new TableBlock({ rowCount: texts.length, columns }));
}

function added(each: StatsFunction, texts: readonly string[]): StatsState {
  const state = createState(each, undefined);
  const rows = Uint32Array.from(texts.keys());
  state.add(viewOf(texts), { rows, groups: undefined, groupCount: 1 });
  return state;
}

function resultOf(each: StatsFunction, texts: readonly string[]): string {
  return added(each, texts).finish(0);
}

const cases: { call: StatsFunction; texts: string[]; result: string }[] = [
  { call: node("count"), texts: ["1", "", "x"], result: "2" },
  { call: node("count", { args: [] }), texts: ["1", "", "x"], result: "3" },
  { call: node("count_empty"), texts: ["1", "", "x"], result: "1" },
  { call: node("sum"), texts: ["1", "2.5", "x", ""], result: "3.5" },
  { call: node("sum"), texts: ["x"], result: "NaN" },
  { call: node("avg"), texts: ["1", "2", "x"], result: "1.5" },
  { call: node("min"), texts: ["10", "9", "a"], result: "9" },
  { call: node("max"), texts: ["10", "9", "zz"], result: "10" },
  { call: node("max"), texts: ["a", "zz", ""], result: "zz" },
  { call: node("min"), texts: [""], result: "" },
  { call: node("median"), texts: ["5", "1", "9"], result: "5" },
  { call: node("median"), texts: ["x"], result: "" },
  { call: node("quantile", { phi: 1 }), texts: ["5", "1", "9"], result: "9" },
  { call: node("count_uniq"), texts: ["a", "b", "a", ""], result: "2" },
  { call: node("count_uniq", { limit: 1 }), texts: ["a", "b"], result: "1" },
  { call: node("uniq_values"), texts: ["b", "10", "9", "b", ""], result: '["9","10","b"]' },
  { call: node("uniq_values", { limit: 1 }), texts: ["b", "a"], result: '["a"]' },
  { call: node("values"), texts: ["b", "", "b"], result: '["b","","b"]' },
  { call: node("sum"), texts: ["1KB", "2KiB", "1"], result: "3049" },
  { call: node("avg"), texts: ["1ms", "3ms", "x"], result: "2000000" },
  { call: node("max"), texts: ["900ms", "1s", "x"], result: "x" },
  { call: node("min"), texts: ["900ms", "1s", "1.5m"], result: "900ms" },
  { call: node("median"), texts: ["900ms", "1s", "1m"], result: "1000000000" },
  { call: node("sum_len"), texts: ["ab", "", "ü"], result: "4" },
  { call: node("count_uniq_hash"), texts: ["a", "b", "a", ""], result: "2" },
  { call: node("rate", { args: [] }), texts: ["a", "b"], result: "2" },
  { call: node("rate", { args: [], seconds: 8 }), texts: ["a", "b"], result: "0.25" },
  { call: node("rate_sum", { seconds: 2 }), texts: ["3", "4"], result: "3.5" },
  {
    call: node("histogram"),
    texts: ["0", "5", "5.1", "10", "x", "-1", "1e30"],
    result:
      '[{"vmrange":"0...1.000e-09","hits":1},{"vmrange":"4.642e+00...5.275e+00","hits":2},' +
      '{"vmrange":"8.799e+00...1.000e+01","hits":1},{"vmrange":"1.000e+18...+Inf","hits":1}]',
  },
  { call: node("json_values", { limit: 1 }), texts: ["a", "b"], result: '["{\\"x\\":\\"a\\"}"]' },
  { call: node("row_max"), texts: ["9", "10", "", "2"], result: '{"x":"10"}' },
  { call: node("row_min"), texts: ["9ms", "1s", ""], result: '{"x":"9ms"}' },
  { call: node("row_any"), texts: ["b"], result: '{"x":"b"}' },
  { call: node("row_any", { args: [] }), texts: [], result: "{}" },
];

for (const { call, texts, result } of cases) {
  test(`${call.name}(${call.args}) of ${JSON.stringify(texts)} is ${result}`, () => {
    assert.equal(resultOf(call, texts), result);
  });
}

test("a function that needs fields says so", () => {
  assert.throws(
    () => createState(node("sum", { args: [] }), undefined),
    (thrown) => thrown instanceof ServiceError && thrown.code === "query.invalid",
  );
});

test("a sketched quantile stays within its error, however it was merged", () => {
  const prng = new Prng(17);
  const drawn = Array.from({ length: 20_000 }, () => {
    const size = Math.exp(prng.unit() * 30 - 10);
    return prng.pick([size, -size, 0, Math.round(size)]);
  });
  const sorted = drawn.toSorted((a, b) => a - b);
  for (const phi of [0, 0.01, 0.25, 0.5, 0.9, 0.999, 1]) {
    const call = node("quantile", { phi });
    const merged = createState(call, undefined);
    for (let at = 0; at < drawn.length; ) {
      const size = 1 + prng.below(3000);
      const part = added(call, drawn.slice(at, at + size).map(printNumber));
      merged.merge(structuredClone(part.export()), new Uint32Array(1));
      at += size;
    }
    const result = Number(merged.finish(0));
    const exact = sorted[Math.min(Math.floor(phi * drawn.length), drawn.length - 1)] as number;
    assert.ok(
      Math.abs(result - exact) <= Math.abs(exact) * quantileError * 1.001,
      `${phi}: ${result} for ${exact}`,
    );
    assert.equal(merged.finish(0), resultOf(call, drawn.map(printNumber)));
  }
});

test("numbers are read and printed in plain decimals", () => {
  for (const value of [0, -0, 1, -1.5, 1e21, -1.25e30, 1e-7, 123456789012345680000, 5e-324]) {
    const text = printNumber(value);
    assert.match(text, /^-?\d+(\.\d+)?$/);
    assert.equal(numberOfText(text), value === 0 ? 0 : value);
    const bytes = Buffer.from(`x${text}y`);
    assert.equal(parseNumber(bytes, 1, bytes.length - 1), value === 0 ? 0 : value);
  }
  for (const text of ["", "-", "1x", "0x10", "1 ", "NaN", "Infinity", ".", "1e"]) {
    assert.ok(Number.isNaN(parseNumber(Buffer.from(text), 0, text.length)), text);
  }
});
