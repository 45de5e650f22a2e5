import assert from "node:assert/strict";
import { test } from "node:test";
import type { Block } from "../../kit/src/block.ts";
import { compileFilter } from "../src/filter/compile.ts";
import { RowSet } from "../src/filter/row-set.ts";
import { parseFilter } from "../src/language/parse.ts";
import { resolveTimes } from "../src/language/resolve-times.ts";
import { type Layout, memoryBlock, type PlainRecord } from "./memory-block.ts";

const now = Date.parse("2026-11-20T12:00:00Z");

const records: readonly PlainRecord[] = [
  {
    _time: "2026-11-20T11:59:00Z",
    _stream: '{host="web-01",service="web"}',
    _msg: "error: disk is full",
    level: "error",
    status: "500",
    took: "15ms",
    ip: "10.0.0.1",
  },
  {
    _time: "2026-11-20T11:50:00.5Z",
    _stream: '{host="web-02",service="web"}',
    _msg: "errors happen, disk is fuller",
    level: "warn",
    status: "404",
    took: "2s",
    ip: "10.0.1.255",
  },
  {
    _time: "2026-11-20T10:00:00Z",
    _stream: '{host="db-01",service="db"}',
    _msg: "Ошибка: диск полон, ERROR 500",
    level: "error",
    status: "-5",
    took: "1KiB",
    ip: "192.168.1.7",
  },
  {
    _time: "2026-11-19T23:59:59.999999999Z",
    _stream: '{host="db-01",service="db"}',
    _msg: "user=alice blk_-123 done",
    status: "2e2",
    took: "900",
    ip: "not an address",
  },
  { _time: "2026-11-20T12:00:00Z", _stream: "{}", level: "info", name: "émile", empty: "" },
];

const cases: readonly (readonly [string, readonly number[]])[] = [
  ["*", [0, 1, 2, 3, 4]],
  ["error", [0]],
  ["errors", [1]],
  ["err*", [0, 1]],
  ["ERROR", [2]],
  ["i(error)", [0, 2]],
  ["i(ERR*)", [0, 1, 2]],
  ["i(ОШИБКА)", [2]],
  ['"disk is full"', [0]],
  ['"disk is ful"', []],
  ['"disk is ful"*', [0, 1]],
  ['": disk"', [0]],
  ['"full"', [0]],
  ["Ошибка", [2]],
  ["Ошиб", []],
  ["Ошиб*", [2]],
  ["*шибк*", [2]],
  ["*rro*", [0, 1]],
  ['*", d"*', [1]],
  ['""', [4]],
  ["_msg:*", [0, 1, 2, 3]],
  ['level:""', [3]],
  ["level:*", [0, 1, 2, 4]],
  ["empty:*", []],
  ['empty:""', [0, 1, 2, 3, 4]],
  ["nothing:*", []],
  ['nothing:""', [0, 1, 2, 3, 4]],
  ["nothing:x", []],
  ["!nothing:x", [0, 1, 2, 3, 4]],
  ["level:=error", [0, 2]],
  ["level:=erro", []],
  ["level:=err*", [0, 2]],
  ["level:!=error", [1, 3, 4]],
  ['="error: disk is full"', [0]],
  ['="error:"*', [0]],
  ["level:error status:500", [0]],
  ["level:(error or warn) !disk", [2]],
  ["level:(error or warn) and not (disk or 500)", []],
  ["status:>=404", [0, 1]],
  ["status:>404", [0]],
  ["status:<200", [2]],
  ["status:<=200", [2, 3]],
  ["status:200", []],
  ["status:-5", [2]],
  ["status:>=4_04", [0, 1]],
  ["status:range[200, 500)", [1, 3]],
  ["status:range(200, 500]", [0, 1]],
  ["status:range(-Inf, Inf)", [0, 1, 2, 3]],
  ["status:>500", []],
  ["took:>100ms", [1]],
  ["took:<1KB", [3]],
  ["took:>=1KiB", [0, 1, 2]],
  ["ip:>10.0.0.255", [1, 2]],
  ["ip:<=10.0.0.1", [0]],
  ["ip:ipv4_range(10.0.0.0/8)", [0, 1]],
  ["ip:ipv4_range(10.0.0.0, 10.0.0.9)", [0]],
  ["ip:ipv4_range(192.168.1.7)", [2]],
  ["level:>error", [1, 4]],
  ["level:<=info", [0, 2, 4]],
  ["level:string_range(e, i)", [0, 2]],
  ["level:len_range(4, 4)", [1, 4]],
  ["name:len_range(5, 5)", [4]],
  ["name:len_range(0, 4)", [0, 1, 2, 3]],
  ["len_range(20, inf)", [1, 2, 3]],
  ["level:in(error, info)", [0, 2, 4]],
  ['level:in("", warn)', [1, 3]],
  ["level:in()", []],
  ["level:in(*)", [0, 1, 2, 3, 4]],
  ["contains_any(alice, full)", [0, 3]],
  ["contains_all(disk, full)", [0]],
  ["contains_all(disk, is)", [0, 1]],
  ["contains_any()", []],
  ["contains_all()", [0, 1, 2, 3, 4]],
  ["seq(error, full)", [0]],
  ["seq(full, error)", []],
  ["seq(disk, is, fuller)", [1]],
  ['seq("", disk)', [0, 1]],
  ['~"err|done"', [0, 1, 3]],
  ['~"blk_-?[0-9]+3 "', [3]],
  ['~"blk_-?[0-9]+4 "', []],
  ['~"(?i)^error"', [0, 1]],
  ['~"rro"', [0, 1]],
  ['!~"rro"', [2, 3, 4]],
  ['level:~"^$"', [3]],
  ['~"диск.*[0-9]$"', [2]],
  ["{service=web}", [0, 1]],
  ['{service="web",host!="web-01"}', [1]],
  ['{host=~"web-.*"}', [0, 1]],
  ['{host=~"web"}', []],
  ['{host!~"web-.*"}', [2, 3, 4]],
  ['{service=""}', [4]],
  ['{service="db" or host="web-02"}', [1, 2, 3]],
  ["{service in (db, web)}", [0, 1, 2, 3]],
  ["_stream:{service not_in (db, web)}", [4]],
  ["{}", [0, 1, 2, 3, 4]],
  ['_stream:"web"', [0, 1]],
  ["_time:5m", [0, 4]],
  ["_time:10m", [0, 1, 4]],
  ["_time:>10m", [2, 3]],
  ["_time:1h offset 1h30m", [2]],
  ["_time:2026-11-20", [0, 1, 2, 4]],
  ["_time:2026-11-19", [3]],
  ["_time:2026-11-20T11", [0, 1]],
  ["_time:2026-11-20T11:50", [1]],
  ["_time:[2026-11-20T10:00:00Z, 2026-11-20T11:59:00Z)", [1, 2]],
  ["_time:[2026-11-20T10:00:00Z, 2026-11-20T11:59:00Z]", [0, 1, 2]],
  ["_time:(2026-11-20T10:00:00Z, 2026-11-20T12:00:00Z)", [0, 1]],
  ["_time:<2026-11-20", [3]],
  ["_time:<=2026-11-19", [3]],
  ["_time:>2026-11-19", [0, 1, 2, 4]],
  ["_time:2026-11-20+02:00", [0, 1, 2, 3, 4]],
  ["_time:1763589600", []],
  ["!_time:5m", [1, 2, 3]],
  ["error or alice", [0, 3]],
  ["-error -alice", [1, 2, 4]],
  ["not not error", [0]],
];

const layouts: readonly Layout[] = ["rows", "dict"];

function matching(filter: string, block: Block): readonly number[] {
  const { filter: node } = resolveTimes({ filter: parseFilter(filter), pipes: [] }, now);
  const rows = new RowSet(block.rowCount);
  compileFilter(node).narrow(block, rows);
  return [...rows.rows()];
}

for (const [filter, rows] of cases) {
  test(`filter ${filter} finds rows ${rows.join(", ") || "none"}`, () => {
    for (const layout of layouts) {
      const block = memoryBlock(records, () => layout);
      assert.deepEqual(matching(filter, block), rows, layout);
    }
    // Alone in a block, a record's columns are constant, and blocks are ruled out one by one.
    for (const [row, record] of records.entries()) {
      const block = memoryBlock([record], () => "const");
      assert.deepEqual(matching(filter, block), rows.includes(row) ? [0] : [], `row ${row}`);
    }
  });
}

test("a word across the border of two values is not found", () => {
  const block = memoryBlock([{ a: "er" }, { a: "ror" }, { a: "error" }]);
  assert.deepEqual(matching("a:error", block), [2]);
  assert.deepEqual(matching("a:*rr*", block), [2]);
});

test("a word is found behind an occurrence that is part of a longer one", () => {
  const block = memoryBlock([{ a: "errors error" }, { a: "errors" }, { a: "terror, error" }]);
  assert.deepEqual(matching("a:error", block), [0, 2]);
});

test("few rows of many are looked at alone", () => {
  const many = Array.from({ length: 1000 }, (_, i) => ({ n: `${i}`, a: `word${i % 7} error` }));
  const block = memoryBlock(many);
  assert.deepEqual(matching("n:in(7, 21, 500) a:word0", block), [7, 21]);
});

test("a block without a filter's words is not read", () => {
  const block = memoryBlock([{ a: "one two" }]);
  const unread = new Proxy(block, {
    get: (target, name) => {
      assert.notEqual(name, "column", "a column was read");
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  assert.deepEqual(matching('a:three or a:"four five"', unread), []);
  assert.deepEqual(matching('a:~"o.* three .*e" or a:~"one" a:nine', unread), []);
});

test("a set of rows counts, walks and combines its rows", () => {
  const set = RowSet.empty(70);
  for (const row of [0, 31, 32, 69]) set.add(row);
  assert.equal(set.count, 4);
  const walked: number[] = [];
  for (let row = set.next(0); row >= 0; row = set.next(row + 1)) walked.push(row);
  assert.deepEqual(walked, [0, 31, 32, 69]);
  const rest = new RowSet(70);
  rest.subtract(set);
  assert.equal(rest.count, 66);
  rest.or(set);
  assert.equal(rest.count, 70);
  rest.and(set);
  assert.deepEqual([...rest.rows()], walked);
  assert.equal(new RowSet(0).isEmpty, true);
});
