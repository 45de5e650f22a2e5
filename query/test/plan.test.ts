import assert from "node:assert/strict";
import test from "node:test";
import type { FilterNode, PipeNode, SortPipe } from "../src/language/ast.ts";
import { columnsOf } from "../src/plan/columns.ts";
import { splitQuery } from "../src/plan/split.ts";

const any: FilterNode = { kind: "any" };
const range = { from: { ms: 0, ns: 0 }, to: { ms: 1000, ns: 0 } };

function split(pipes: readonly PipeNode[], limit?: number) {
  return splitQuery({ filter: any, pipes }, { range, limit });
}

const limit = (count: number): PipeNode => ({ kind: "limit", count });
const offset = (count: number): PipeNode => ({ kind: "offset", count });
const fields: PipeNode = { kind: "fields", fields: [{ name: "a", prefix: false }] };

function sort(field: string, desc: boolean): SortPipe {
  return { kind: "sort", by: [{ field, desc }], offset: 0, limit: undefined };
}

const windows: { pipes: PipeNode[]; limit?: number; offset: number; count: number | undefined }[] =
  [
    { pipes: [], offset: 0, count: undefined },
    { pipes: [], limit: 5, offset: 0, count: 5 },
    { pipes: [limit(10), offset(4)], offset: 4, count: 6 },
    { pipes: [offset(4), limit(10)], limit: 3, offset: 4, count: 3 },
    { pipes: [limit(3), offset(4)], offset: 4, count: 0 },
    { pipes: [sort("_time", true), limit(7)], offset: 0, count: 7 },
  ];

for (const each of windows) {
  const name = each.pipes.map((pipe) =>
    "count" in pipe ? `${pipe.kind} ${pipe.count}` : pipe.kind,
  );
  test(`* | ${name.join(" | ")} with limit ${each.limit} streams a window of records`, () => {
    const plan = split(each.pipes, each.limit);
    assert.equal(plan.worker.sink.kind, "records");
    assert.deepEqual(plan.window, { offset: each.offset, limit: each.count });
    assert.deepEqual(plan.rest, []);
  });
}

test("row pipes go to the workers up to the first pipe that needs all rows", () => {
  const plan = split([fields, limit(3), fields]);
  assert.deepEqual(plan.worker.pipes, [fields]);
  assert.deepEqual(plan.worker.sink, { kind: "newest", wanted: 3 });
  assert.deepEqual(plan.rest, [fields]);
});

test("a limit after a sort is the sort's own, and only fields that are named leave the worker", () => {
  const plan = split([sort("b", false), limit(9), offset(2), fields]);
  const { sink, pipes } = plan.worker;
  assert.deepEqual(sink, { kind: "gather", pipe: { ...sort("b", false), offset: 2, limit: 7 } });
  assert.deepEqual(
    pipes.map(({ kind }) => kind),
    ["fields"],
  );
  assert.deepEqual(plan.rest, [fields]);
});

test("a second sort by time is not taken for the first one's limit", () => {
  const plan = split([sort("b", false), sort("_time", true)]);
  assert.deepEqual(plan.rest, [sort("_time", true)]);
});

test("time filters that hold for every row narrow the range", () => {
  const time = (from: number, to: number): FilterNode => ({
    kind: "time",
    from: { kind: "moment", ms: from, ns: 0 },
    to: { kind: "moment", ms: to, ns: 0 },
  });
  const narrowed = (filter: FilterNode) =>
    splitQuery({ filter, pipes: [] }, { range, limit: undefined }).worker.range;
  const within = { from: { ms: 100, ns: 0 }, to: { ms: 200, ns: 0 } };
  assert.deepEqual(narrowed({ kind: "and", parts: [time(100, 5000), time(-5, 200)] }), within);
  assert.deepEqual(narrowed({ kind: "not", part: time(100, 200) }), range);
});

test("the columns of an answer are known as far as the query says", () => {
  const of = (...pipes: PipeNode[]) => columnsOf({ filter: any, pipes });
  const count = {
    name: "count",
    args: [],
    phi: undefined,
    limit: undefined,
    filter: undefined,
    as: "n",
  } as const;
  assert.equal(of(), undefined);
  assert.deepEqual(of(fields, { kind: "rename", pairs: [{ from: "a", to: "b" }] }), ["b"]);
  assert.deepEqual(
    of({ kind: "stats", by: [{ field: "x", bucket: undefined }], functions: [count] }),
    ["x", "n"],
  );
  assert.deepEqual(of({ kind: "fieldNames", as: "name" }, limit(1)), ["name", "hits"]);
});
