import assert from "node:assert/strict";
import test from "node:test";
import { Prng } from "../../kit/src/prng.ts";
import { runPipes } from "../src/engine/rest.ts";
import type { Bucket, ExtractPipe, FilterNode, MathNode, PipeNode } from "../src/language/ast.ts";
import type { MathFunctionName, MathOperator } from "../src/language/math-node.ts";
import { createRowPipe } from "../src/pipe/create.ts";
import type { WrittenRowPipe } from "../src/plan/plan.ts";
import { BytesTable } from "../src/table/bytes-table.ts";
import { encodeNdjson } from "../src/table/ndjson.ts";
import { TupleTable } from "../src/table/tuple-table.ts";
import { View } from "../src/table/view.ts";
import { blockOf } from "./engine-blocks.ts";

type Row = Record<string, string>;

function run(
  rows: readonly Row[],
  pipes: readonly PipeNode[],
  times: readonly number[] = [],
): Row[] {
  const records = rows.map((fields, i) => {
    const time = { ms: Math.floor(times[i] ?? 0), ns: Math.round(((times[i] ?? 0) % 1) * 1e6) };
    return { time, stream: "{}", shard: 0, position: i, fields };
  });
  const view = View.records(blockOf(records, new Prng(rows.length)));
  const all = Uint32Array.from(rows.keys());
  const result = runPipes({ view, rows: all }, pipes);
  const lines = encodeNdjson(result.view, result.rows).bytes.toString().trimEnd();
  return lines === "" ? [] : lines.split("\n").map((line) => JSON.parse(line) as Row);
}

function apply(row: Row, node: WrittenRowPipe): Row {
  assert.ok(createRowPipe(node));
  const [result = {}] = run(
    [row],
    [node, { kind: "delete", fields: [named("_time"), named("_stream")] }],
  );
  return result;
}

function named(name: string) {
  return { name, prefix: false };
}

function extract(
  steps: readonly [string, string?, boolean?][],
  tail: string,
  more: Partial<ExtractPipe> = {},
): ExtractPipe {
  const pattern = {
    steps: steps.map(([literal, field, plain = false]) => ({ literal, field, plain })),
    tail,
  };
  return {
    kind: "extract",
    pattern,
    from: "m",
    filter: undefined,
    keepOriginal: false,
    skipEmpty: false,
    ...more,
  };
}

const isError: FilterNode = { kind: "exact", field: "l", value: "error" };

const cases: { name: string; row: Row; pipe: WrittenRowPipe; result: Row }[] = [
  {
    name: "a pattern finds what stands between its literals",
    row: { m: "at user=ann id=7 end" },
    pipe: extract(
      [
        ["user=", "user"],
        [" id=", "id"],
      ],
      " ",
    ),
    result: { m: "at user=ann id=7 end", user: "ann", id: "7" },
  },
  {
    name: "a last placeholder runs to the end and a nameless one stores nothing",
    row: { m: "a=1 b=2 c" },
    pipe: extract([["a="], [" b=", "b"]], ""),
    result: { m: "a=1 b=2 c", b: "2 c" },
  },
  {
    name: "a quoted value is unquoted",
    row: { m: 'say="a \\"b\\" c" x' },
    pipe: extract([["say=", "s"]], " x"),
    result: { m: 'say="a \\"b\\" c" x', s: 'a "b" c' },
  },
  {
    name: "a plain placeholder keeps its quotes",
    row: { m: 'say="a b" x' },
    pipe: extract([["say=", "s", true]], " x"),
    result: { m: 'say="a b" x', s: '"a b"' },
  },
  {
    name: "a value without the literal yields nothing and clears what was there",
    row: { m: "none", s: "old" },
    pipe: extract([["say=", "s"]], ""),
    result: { m: "none" },
  },
  {
    name: "an empty result leaves what was there when told to skip it",
    row: { m: "none", s: "old" },
    pipe: extract([["say=", "s"]], "", { skipEmpty: true }),
    result: { m: "none", s: "old" },
  },
  {
    name: "a field that has a value keeps it when told so",
    row: { m: "say=new", s: "old" },
    pipe: extract([["say=", "s"]], "", { keepOriginal: true }),
    result: { m: "say=new", s: "old" },
  },
  {
    name: "a row that the condition leaves out passes unchanged",
    row: { m: "say=new", s: "old", l: "info" },
    pipe: extract([["say=", "s"]], "", { filter: isError }),
    result: { m: "say=new", s: "old", l: "info" },
  },
  {
    name: "pairs of a rename are applied in order",
    row: { a: "1", b: "2" },
    pipe: {
      kind: "rename",
      pairs: [
        { from: "a", to: "c" },
        { from: "b", to: "a" },
      ],
    },
    result: { a: "2", c: "1" },
  },
  {
    name: "a copy of an absent field clears its target",
    row: { a: "1" },
    pipe: { kind: "copy", pairs: [{ from: "none", to: "a" }] },
    result: {},
  },
  {
    name: "a prefix selects all fields that begin so",
    row: { "http.a": "1", "http.b": "2", x: "3" },
    pipe: { kind: "fields", fields: [{ name: "http.", prefix: true }] },
    result: { "http.a": "1", "http.b": "2" },
  },
];

for (const { name, row, pipe, result } of cases) {
  test(name, () => assert.deepEqual(apply(row, pipe), result));
}

const x: MathNode = { kind: "field", field: "x" };

function number(value: number): MathNode {
  return { kind: "number", value };
}

function binary(op: MathOperator, right: number): MathNode {
  return { kind: "binary", op, left: x, right: number(right) };
}

function call(name: MathFunctionName, ...args: MathNode[]): MathNode {
  return { kind: "call", name, args };
}

const sums: { node: MathNode; x: string; result: string }[] = [
  { node: binary("/", 0), x: "1", result: "+Inf" },
  { node: binary("/", 0), x: "0", result: "NaN" },
  { node: binary("-", 3), x: "1", result: "-2" },
  { node: binary("^", 3), x: "2", result: "8" },
  { node: binary("%", 3), x: "7", result: "1" },
  { node: binary("+", 3), x: "none", result: "NaN" },
  { node: binary("default", 3), x: "none", result: "3" },
  { node: { kind: "negate", operand: x }, x: "5", result: "-5" },
  { node: call("round", x), x: "-2.5", result: "-3" },
  { node: call("round", x, number(10)), x: "17", result: "20" },
  { node: call("max", x, number(3)), x: "none", result: "3" },
  { node: call("min", x, number(3)), x: "2", result: "2" },
  { node: call("sqrt", x), x: "9", result: "3" },
  { node: call("abs", x), x: "-9", result: "9" },
];

for (const each of sums) {
  test(`math ${JSON.stringify(each.node)} of ${each.x} is ${each.result}`, () => {
    const assignments = [{ expression: each.node, as: "r" }];
    assert.equal(apply({ x: each.x }, { kind: "math", assignments })["r"], each.result);
  });
}

const moment = Date.UTC(2026, 1, 18, 13, 5, 7) + 0.123456;
const offset = { ms: 0, ns: 0 };
const buckets: { bucket: Bucket; start: string }[] = [
  { bucket: { kind: "calendar", unit: "week" }, start: "2026-02-16T00:00:00Z" },
  { bucket: { kind: "calendar", unit: "month" }, start: "2026-02-01T00:00:00Z" },
  { bucket: { kind: "calendar", unit: "year" }, start: "2026-01-01T00:00:00Z" },
  {
    bucket: { kind: "time", step: { ms: 3_600_000, ns: 0 }, offset },
    start: "2026-02-18T13:00:00Z",
  },
  { bucket: { kind: "time", step: { ms: 1, ns: 0 }, offset }, start: "2026-02-18T13:05:07Z" },
  {
    bucket: { kind: "time", step: { ms: 0, ns: 100_000 }, offset },
    start: "2026-02-18T13:05:07.000100Z",
  },
  {
    bucket: { kind: "time", step: { ms: 86_400_000, ns: 0 }, offset: { ms: -7_200_000, ns: 0 } },
    start: "2026-02-17T22:00:00Z",
  },
];

for (const { bucket, start } of buckets) {
  test(`a bucket ${JSON.stringify(bucket)} starts at ${start}`, () => {
    const by = [{ field: "_time", bucket }];
    // Far from the others, so that buckets are not all within one block's reach.
    const rows = run([{ a: "1" }, { a: "2" }], [{ kind: "stats", by, functions: [] }], [moment, 5]);
    assert.equal(rows[0]?.["_time"], start);
    assert.equal(rows.length, 2);
  });
}

test("tables number what they have not seen and know what they have", () => {
  const prng = new Prng(41);
  const table = new BytesTable();
  const tuples = new TupleTable(2);
  const known = new Map<string, number>();
  for (let i = 0; i < 30_000; i++) {
    const text = `${prng.below(4)}-${"x".repeat(prng.below(40))}-${prng.below(200)}`;
    const id = table.internText(text);
    assert.equal(id, known.get(text) ?? known.size);
    known.set(text, id);
    assert.equal(tuples.intern(Uint32Array.of(id, id % 7)), id);
  }
  assert.equal(table.size, known.size);
  for (const [text, id] of known) assert.equal(table.text(id), text);
  const copy = new BytesTable();
  copy.internText("first");
  const ids = copy.merge(table.export());
  for (const [text, id] of known) assert.equal(copy.text(ids[id] as number), text);
});
