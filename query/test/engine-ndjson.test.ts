import assert from "node:assert/strict";
import test from "node:test";
import { Prng } from "../../kit/src/prng.ts";
import { momentPrint } from "../../kit/src/time.ts";
import { ValuesBuilder, ValuesColumn, valuesOf } from "../src/table/column.ts";
import { encodeNdjson } from "../src/table/ndjson.ts";
import { TableBlock } from "../src/table/table-block.ts";
import { TimePrinter } from "../src/table/time-text.ts";
import { View } from "../src/table/view.ts";

function linesOf(columns: Map<string, ValuesColumn>, rowCount: number, shape: "records" | "table") {
  const times = { ms: new Float64Array(rowCount), ns: undefined };
  const block = new TableBlock({ rowCount, columns, times });
  const view = View.table(block, [...columns.keys()], shape);
  const rows = Uint32Array.from({ length: rowCount }, (_, i) => i);
  return encodeNdjson(view, rows);
}

const texts = [
  "plain",
  'quote " backslash \\ slash /',
  Array.from({ length: 0x20 }, (_, i) => String.fromCharCode(i)).join(""),
  "\u007f\u0080\u2028\u2029",
  "non-BMP 😀 𝄞",
  "ünïcode and \n newline",
  "x".repeat(5000),
  "\n".repeat(5000),
];

test("any text comes back from its line as it was", () => {
  const columns = new Map([['a\n"b', new ValuesColumn("rows", valuesOf(texts))]]);
  const { bytes, offsets } = linesOf(columns, texts.length, "records");
  const lines = bytes.toString().split("\n");
  assert.equal(lines.pop(), "");
  assert.deepEqual(
    lines.map((line) => JSON.parse(line)),
    texts.map((text) => ({ 'a\n"b': text })),
  );
  assert.equal(offsets.at(-1), bytes.length);
});

test("drawn bytes become valid JSON, invalid UTF-8 as replacement characters", () => {
  const prng = new Prng(11);
  const values = Array.from({ length: 500 }, () =>
    Buffer.from(
      Array.from({ length: prng.below(12) }, () =>
        prng.pick([0x22, 0x41, 0xc3, 0xa9, 0xff, 0xf0, 0x0a, 0x5c]),
      ),
    ),
  );
  const builder = new ValuesBuilder();
  for (const value of values) builder.pushBytes(value, 0, value.length);
  const columns = new Map([["v", new ValuesColumn("rows", builder.finish())]]);
  const lines = linesOf(columns, values.length, "table").bytes.toString().split("\n").slice(0, -1);
  assert.deepEqual(
    lines.map((line) => JSON.parse(line)),
    values.map((value) => ({ v: value.toString() })),
  );
});

test("records leave empty values out, tables show them", () => {
  const columns = new Map([
    ["a", new ValuesColumn("rows", valuesOf(["", "1"]))],
    ["b", new ValuesColumn("const", valuesOf(["2"]))],
  ]);
  assert.equal(linesOf(columns, 2, "records").bytes.toString(), '{"b":"2"}\n{"a":"1","b":"2"}\n');
  assert.equal(
    linesOf(columns, 2, "table").bytes.toString(),
    '{"a":"","b":"2"}\n{"a":"1","b":"2"}\n',
  );
});

test("times print as moments do", () => {
  const prng = new Prng(13);
  const printer = new TimePrinter();
  const out = Buffer.alloc(64);
  for (let i = 0; i < 2000; i++) {
    const ms = prng.pick([prng.below(4e9) * 1000, prng.below(4e12), -prng.below(4e12), 8e15]);
    const ns = prng.pick([0, prng.below(1000) * 1000, prng.below(1_000_000)]);
    assert.equal(out.toString("latin1", 0, printer.write(out, 0, ms, ns)), momentPrint({ ms, ns }));
  }
});
