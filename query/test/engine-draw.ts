import type { Prng } from "../../kit/src/prng.ts";
import type { FilterNode, PipeNode, Query, StatsFunction, StatsName } from "../src/language/ast.ts";
import type { TestRecord } from "./engine-blocks.ts";
import { drawTransform } from "./engine-draw-pipes.ts";

const streams = [
  '{host="a",service="api"}',
  '{host="b",service="api"}',
  '{host="a",service="web \\"x\\""}',
];
const levels = ["error", "warn", "info", ""];
const codes = ["200", "404", "500", "-3", "", "n/a"];
const words = ["disk full", "ünï ↯", 'say "hi"', "line\nbreak", "", "back\\slash", "error in api"];

/** Records of three streams; times collide, but never within one stream and position. */
export function drawRecords(prng: Prng, count: number): TestRecord[] {
  const seen = new Set<string>();
  const records: TestRecord[] = [];
  for (let i = 0; i < count; i++) {
    const stream = prng.pick(streams);
    const shard = streams.indexOf(stream) % 2;
    const position = Math.floor(i / 3);
    let time = { ms: 1_700_000_000_000 + prng.below(40) * 61_000, ns: prng.chance(0.2) ? 1000 : 0 };
    while (seen.has(`${stream} ${time.ms} ${time.ns} ${position}`)) {
      time = { ms: time.ms, ns: time.ns + 1 };
    }
    seen.add(`${stream} ${time.ms} ${time.ns} ${position}`);
    records.push({ time, stream, shard, position, fields: drawFields(prng, i) });
  }
  return records;
}

function drawFields(prng: Prng, i: number): Record<string, string> {
  const fields: Record<string, string> = { _msg: prng.pick(words), app: "shop" };
  if (prng.chance(0.8)) fields["level"] = prng.pick(levels);
  if (prng.chance(0.7)) fields["code"] = prng.pick(codes);
  if (prng.chance(0.5)) fields["took"] = String(prng.below(2000) / 4);
  if (prng.chance(0.5)) fields["trace"] = `t${i}`;
  if (prng.chance(0.3)) fields["list"] = prng.pick(['["a","b",3]', "[]", "none", '[{"x":1}]']);
  if (prng.chance(0.3))
    fields["json"] = prng.pick(['{"a":"1","level":"inner"}', "", '{"code":"7"}']);
  return fields;
}

const fields = [
  "level",
  "code",
  "took",
  "app",
  "_msg",
  "_stream",
  "_stream_id",
  "trace",
  "nothing",
];
/** Of the first stream. */
const streamId = "9c112835c89324bb81f4719cdf6f1a0a";

export function drawFilter(prng: Prng, depth = 2): FilterNode {
  const field = prng.pick(fields);
  switch (prng.below(depth > 0 ? 9 : 5)) {
    case 0:
      return { kind: "any" };
    case 4:
      return {
        kind: "compareField",
        field: prng.pick(["took", "code", "level"]),
        op: prng.pick(["eq", "le", "lt"]),
        other: prng.pick(["code", "level", "nothing"]),
      };
    case 8:
      return drawSubquery(prng);
    case 1:
      return {
        kind: "exact",
        field,
        value: prng.pick([...levels, ...codes, ...words, ...streams, streamId]),
      };
    case 2:
      return { kind: "in", field: prng.pick(["level", "code"]), values: ["error", "200", "404"] };
    case 3:
      return { kind: prng.chance(0.5) ? "exists" : "empty", field };
    case 5:
      return { kind: "not", part: drawFilter(prng, depth - 1) };
    case 6:
      return { kind: "and", parts: [drawFilter(prng, depth - 1), drawFilter(prng, depth - 1)] };
    default:
      return { kind: "or", parts: [drawFilter(prng, depth - 1), drawFilter(prng, depth - 1)] };
  }
}

function drawSubquery(prng: Prng): FilterNode {
  const asked = ["level", "code", "_stream_id"];
  const [field, by] = [prng.pick(asked), [prng.pick(asked)]];
  const last: PipeNode = prng.chance(0.5)
    ? { kind: "uniq", by, hitsAs: undefined, limit: undefined }
    : { kind: "fields", fields: [named(field)] };
  const query = { filter: drawFilter(prng, 0), pipes: [last] };
  return { kind: "subquery", field, test: "in", query };
}

/** A query whose answer is one set of rows: what only limits an unordered table is not drawn. */
export function drawQuery(prng: Prng): Query {
  const pipes: PipeNode[] = [];
  while (prng.chance(0.5)) pipes.push(drawRowPipe(prng));
  if (prng.chance(0.8)) {
    pipes.push(drawGather(prng));
    if (prng.chance(0.2)) pipes.push(drawInner(prng));
    while (prng.chance(0.4)) pipes.push(drawRowPipe(prng));
    if (prng.chance(0.3)) pipes.push(drawStats(prng));
  } else {
    while (prng.chance(0.5)) pipes.push(drawWindow(prng));
  }
  return { filter: drawFilter(prng), pipes };
}

/** Groups that another query counts, beside or under those that there are. */
function drawInner(prng: Prng): PipeNode {
  const by = [prng.pick(["level", "code"])];
  const count: StatsFunction = { ...plainFunction, name: "count", as: "others" };
  const keys = by.map((field) => ({ field, bucket: undefined }));
  const query: Query = {
    filter: drawFilter(prng, 1),
    pipes: [{ kind: "stats", by: keys, functions: [count] }],
  };
  if (prng.chance(0.5)) return { kind: "union", query };
  const prefix = prng.pick(["", "their."]);
  return { kind: "join", by, query, isInner: prng.chance(0.5), prefix };
}

const plainFunction = { args: [], phi: undefined, limit: undefined, filter: undefined } as const;

function drawRowPipe(prng: Prng): PipeNode {
  if (prng.chance(0.4)) {
    const condition = () => (prng.chance(0.3) ? drawFilter(prng, 0) : undefined);
    return drawTransform(prng, fields, condition);
  }
  const some = () => prng.pick(fields);
  switch (prng.below(6)) {
    case 0:
      return { kind: "fields", fields: ["_time", "level", "code", "took", some()].map(named) };
    case 1:
      return {
        kind: "delete",
        fields: [prng.chance(0.5) ? named(some()) : { name: "t", prefix: true }],
      };
    case 2:
      return { kind: "rename", pairs: [{ from: some(), to: prng.pick(["level", "renamed"]) }] };
    case 3:
      return { kind: "copy", pairs: [{ from: some(), to: prng.pick(["code", "copied"]) }] };
    case 4:
      return { kind: "filter", filter: drawFilter(prng, 1) };
    default:
      return { kind: "math", assignments: [{ expression: drawMath(prng), as: "sum" }] };
  }
}

function drawMath(prng: Prng) {
  const took = { kind: "field", field: "took" } as const;
  const code = { kind: "field", field: "code" } as const;
  const zero = { kind: "number", value: prng.below(3) } as const;
  const right = { kind: "binary", op: "default", left: code, right: zero } as const;
  return { kind: "binary", op: prng.pick(["+", "*"] as const), left: took, right } as const;
}

function named(name: string) {
  return { name, prefix: false };
}

function drawWindow(prng: Prng): PipeNode {
  return prng.chance(0.7)
    ? { kind: "limit", count: prng.below(40) }
    : { kind: "offset", count: prng.below(20) };
}

function drawGather(prng: Prng): PipeNode {
  const by = [prng.pick(fields), prng.pick(["level", "code"])].slice(prng.below(2));
  const distinct = [...new Set(by)];
  switch (prng.below(7)) {
    case 0: {
      const keys = distinct.map((field) => ({ field, desc: prng.chance(0.5) }));
      const limit = prng.chance(0.7) ? prng.below(30) : undefined;
      return {
        kind: "sort",
        by: keys,
        offset: prng.below(5),
        limit,
        ...(prng.chance(0.3) && { partitionBy: [prng.pick(["level", "code", "nothing"])] }),
        ...(prng.chance(0.3) && { rankAs: "rank" }),
      };
    }
    case 1:
      return { kind: "top", limit: 1 + prng.below(4), by: distinct, hitsAs: "hits" };
    case 2:
      return {
        kind: "uniq",
        by: distinct,
        hitsAs: prng.chance(0.5) ? "n" : undefined,
        limit: undefined,
      };
    case 3:
      return prng.chance(0.5)
        ? { kind: "fieldNames", as: "name" }
        : { kind: "fieldValues", field: prng.pick(fields), limit: 1 + prng.below(5) };
    default:
      return drawStats(prng);
  }
}

const statsNames: readonly StatsName[] = [
  "count",
  "count_empty",
  "count_uniq",
  "count_uniq_hash",
  "sum",
  "sum_len",
  "avg",
  "min",
  "max",
  "median",
  "quantile",
  "uniq_values",
];

function drawStats(prng: Prng): PipeNode {
  const keys = [
    { field: "level", bucket: undefined },
    { field: prng.pick(["_stream", "_stream_id"]), bucket: undefined },
    { field: "trace", bucket: undefined },
    { field: "took", bucket: { kind: "number", step: 50, offset: 10 } as const },
    { field: "_time", bucket: drawTimeBucket(prng) },
  ].filter(() => prng.chance(0.35));
  const functions = Array.from({ length: 1 + prng.below(3) }, (_, i) => drawFunction(prng, i));
  return { kind: "stats", by: keys, functions };
}

function drawTimeBucket(prng: Prng) {
  const step = { ms: prng.pick([1000, 300_000, 86_400_000]), ns: 0 };
  return { kind: "time", step, offset: { ms: prng.below(2) * 7000, ns: 0 } } as const;
}

function drawFunction(prng: Prng, i: number): StatsFunction {
  const name = prng.pick(statsNames);
  const several = prng.pick([["took"], ["code"], ["level", "code"], ["took", "nothing"]]);
  return {
    name,
    args: name === "count" && prng.chance(0.5) ? [] : several,
    phi: name === "quantile" ? prng.pick([0, 0.25, 0.9, 1]) : undefined,
    limit: undefined,
    filter: prng.chance(0.3) ? drawFilter(prng, 1) : undefined,
    as: `f${i}`,
  };
}
