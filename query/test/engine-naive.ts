import { createHash } from "node:crypto";
import { momentCompare, momentPrint } from "../../kit/src/time.ts";
import type {
  FilterNode,
  MathNode,
  PipeNode,
  Query,
  SortKey,
  SortPipe,
  StatsFunction,
} from "../src/language/ast.ts";
import { mapQuery } from "../src/language/map-filter.ts";
import type { JoinPipe } from "../src/language/pipe-node.ts";
import { shown, type TestRecord } from "./engine-blocks.ts";
import { transformed } from "./engine-naive-pipes.ts";
import { comparesFields } from "./filter-naive.ts";

export type Row = Record<string, string>;

/** Evaluates a query over objects, one pipe after the other: slow, plain, and of other code than the engine. */
export function evaluate(query: Query, records: readonly TestRecord[]): Row[] {
  const { filter, pipes } = mapQuery(query, (each) => answered(each, records));
  const rows = records
    .toSorted(newestFirst)
    .map(withId)
    .filter((row) => matches(filter, row))
    .map((row) => (namesId(pipes) ? row : only(row, (name) => name !== "_stream_id")));
  return pipes.reduce((before: Row[], pipe) => {
    if (pipe.kind === "union") return before.concat(evaluate(pipe.query, records));
    if (pipe.kind === "join") return joined(before, pipe, evaluate(pipe.query, records));
    return runPipe(before, pipe);
  }, rows);
}

/** The record as filters see it. */
export function withId(record: TestRecord): Row {
  const digest = createHash("sha256").update(record.stream).digest("hex");
  return { ...shown(record), _stream_id: digest.slice(0, 32) };
}

/** Whether the field is asked for, and so shown; queries within the query show it themselves. */
function namesId(pipes: readonly PipeNode[]): boolean {
  const text = JSON.stringify(pipes, (key, value: unknown) => (key === "query" ? "" : value));
  return text.includes('"_stream_id"');
}

/** The filter with the values of the queries within it. */
function answered(filter: FilterNode, records: readonly TestRecord[]): FilterNode {
  if (filter.kind === "not") return { kind: "not", part: answered(filter.part, records) };
  if (filter.kind === "and" || filter.kind === "or") {
    return { ...filter, parts: filter.parts.map((part) => answered(part, records)) };
  }
  if (filter.kind !== "subquery") return filter;
  const rows = evaluate(filter.query, records);
  const values = rows.flatMap((row) => Object.values(row)).filter((value) => value !== "");
  return { kind: "in", field: filter.field, values };
}

function joined(rows: Row[], { by, isInner, prefix }: JoinPipe, found: readonly Row[]): Row[] {
  return rows.flatMap((row) => {
    const own = found.filter((other) => by.every((key) => (other[key] ?? "") === (row[key] ?? "")));
    if (own.length === 0) return isInner ? [] : [row];
    return own.map((other) => {
      const extra = Object.entries(other).filter(([name]) => !by.includes(name));
      return {
        ...row,
        ...Object.fromEntries(extra.map(([name, value]) => [prefix + name, value])),
      };
    });
  });
}

export function newestFirst(a: TestRecord, b: TestRecord): number {
  const byTime = momentCompare(b.time, a.time);
  if (byTime !== 0) return byTime;
  if (a.stream !== b.stream) return a.stream < b.stream ? -1 : 1;
  return b.position - a.position;
}

export function matches(filter: FilterNode, row: Row): boolean {
  switch (filter.kind) {
    case "any":
      return true;
    case "exact":
      return (row[filter.field] ?? "") === filter.value;
    case "in":
      return filter.values.includes(row[filter.field] ?? "");
    case "exists":
      return (row[filter.field] ?? "") !== "";
    case "empty":
      return (row[filter.field] ?? "") === "";
    case "and":
      return filter.parts.every((part) => matches(part, row));
    case "or":
      return filter.parts.some((part) => matches(part, row));
    case "not":
      return !matches(filter.part, row);
    case "compareField":
      return comparesFields(filter, row);
    default:
      throw new Error(`no naive ${filter.kind}`);
  }
}

function runPipe(rows: Row[], pipe: PipeNode): Row[] {
  switch (pipe.kind) {
    case "fields":
      return rows.map((row) => only(row, (name) => pipe.fields.some((f) => selects(f, name))));
    case "delete":
      return rows.map((row) => only(row, (name) => !pipe.fields.some((f) => selects(f, name))));
    case "copy":
      return rows.map((row) => pipe.pairs.reduce((r, { from, to }) => put(r, to, r[from]), row));
    case "rename":
      return rows.map((row) =>
        pipe.pairs.reduce((r, { from, to }) => {
          if (from === to) return r;
          return put(
            only(r, (name) => name !== from),
            to,
            r[from],
          );
        }, row),
      );
    case "filter":
      return rows.filter((row) => matches(pipe.filter, row));
    case "math":
      return rows.map((row) =>
        pipe.assignments.reduce(
          (r, { expression, as }) => put(r, as, String(compute(expression, r))),
          row,
        ),
      );
    case "limit":
      return rows.slice(0, pipe.count);
    case "offset":
      return rows.slice(pipe.count);
    case "sort": {
      if (pipe.partitionBy !== undefined || pipe.rankAs !== undefined) return ranked(rows, pipe);
      const end = pipe.limit === undefined ? undefined : pipe.offset + pipe.limit;
      return rows.toSorted((a, b) => compareKeys(a, b, pipe.by)).slice(pipe.offset, end);
    }
    case "stats":
      return stats(rows, pipe);
    case "top": {
      const counted = counts(rows, pipe.by).sort(byHits(pipe.by));
      return counted
        .slice(0, pipe.limit)
        .map(({ row, hits }) => ({ ...row, [pipe.hitsAs]: `${hits}` }));
    }
    case "uniq":
      return counts(rows, pipe.by)
        .filter(({ row }) => Object.values(row).some((value) => value !== ""))
        .slice(0, pipe.limit)
        .map(({ row, hits }) =>
          pipe.hitsAs === undefined ? row : { ...row, [pipe.hitsAs]: `${hits}` },
        );
    case "fieldValues":
      return counts(rows, [pipe.field])
        .filter(({ row }) => row[pipe.field] !== "")
        .sort(byHits([pipe.field]))
        .slice(0, pipe.limit)
        .map(({ row, hits }) => ({ ...row, hits: `${hits}` }));
    case "fieldNames": {
      const names = rows.flatMap((row) =>
        Object.keys(row)
          .filter((name) => row[name] !== "")
          .map((name) => ({ name })),
      );
      return counts(names, ["name"])
        .sort(byHits(["name"]))
        .map(({ row, hits }) => ({ [pipe.as]: row["name"] ?? "", hits: `${hits}` }));
    }
    default:
      return transformed(rows, pipe, matches);
  }
}

/** The groups by their first rows, each cut for itself. */
function ranked(rows: readonly Row[], pipe: SortPipe): Row[] {
  const groups = new Map<string, Row[]>();
  for (const row of rows.toSorted((a, b) => compareKeys(a, b, pipe.by))) {
    const key = JSON.stringify(pipe.partitionBy?.map((field) => row[field] ?? ""));
    const group = groups.get(key) ?? [];
    group.push(row);
    groups.set(key, group);
  }
  const end = pipe.limit === undefined ? undefined : pipe.offset + pipe.limit;
  return [...groups.values()].flatMap((group) =>
    group
      .map((row, i) => (pipe.rankAs === undefined ? row : { ...row, [pipe.rankAs]: String(i + 1) }))
      .slice(pipe.offset, end),
  );
}

function selects({ name, prefix }: { name: string; prefix: boolean }, field: string): boolean {
  return prefix ? field.startsWith(name) : field === name;
}

function only(row: Row, wanted: (name: string) => boolean): Row {
  return Object.fromEntries(Object.entries(row).filter(([name]) => wanted(name)));
}

function put(row: Row, name: string, value: string | undefined): Row {
  const rest = only(row, (each) => each !== name);
  return value === undefined ? rest : { ...rest, [name]: value };
}

export function numberOf(text: string | undefined): number {
  return text === undefined || !/^[+-]?\d+(\.\d+)?$/.test(text) ? Number.NaN : Number(text);
}

function compute(node: MathNode, row: Row): number {
  switch (node.kind) {
    case "number":
      return node.value;
    case "field":
      return numberOf(row[node.field]);
    case "binary": {
      const [a, b] = [compute(node.left, row), compute(node.right, row)];
      if (node.op === "+") return a + b;
      if (node.op === "*") return a * b;
      if (node.op === "default") return Number.isNaN(a) ? b : a;
      throw new Error(`no naive ${node.op}`);
    }
    default:
      throw new Error(`no naive ${node.kind}`);
  }
}

function compareKeys(a: Row, b: Row, by: readonly SortKey[]): number {
  for (const { field, desc } of by) {
    const result = compareNaturally(a[field] ?? "", b[field] ?? "");
    if (result !== 0) return desc ? -result : result;
  }
  return 0;
}

/** As `compareValues`, texts with numbers in them by those. */
function compareNaturally(a: string, b: string): number {
  const isText = (text: string) => text !== "" && Number.isNaN(numberOf(text));
  if (!isText(a) || !isText(b)) return compareValues(a, b);
  const [x, y] = [piecesOf(a), piecesOf(b)];
  const at = x.findIndex((piece, i) => piece !== y[i]);
  const [left, right] = [x[at], y[at]];
  if (at < 0 || left === undefined || right === undefined) return x.length - y.length;
  if (/\d/.test(left) && /\d/.test(right)) return Number(left) - Number(right);
  if (/\d/.test(left) !== /\d/.test(right)) return /\d/.test(left) ? -1 : 1;
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}

/** Numbers and single characters. */
function piecesOf(text: string): string[] {
  return text.match(/\d+|\D/gsu) ?? [];
}

export function compareValues(a: string, b: string): number {
  const rank = (text: string) => (text === "" ? 0 : Number.isNaN(numberOf(text)) ? 2 : 1);
  if (rank(a) !== rank(b)) return rank(a) - rank(b);
  if (rank(a) === 1) return numberOf(a) - numberOf(b);
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function counts(rows: readonly Row[], by: readonly string[]): { row: Row; hits: number }[] {
  const found = new Map<string, { row: Row; hits: number }>();
  for (const each of rows) {
    const row = Object.fromEntries(by.map((field) => [field, each[field] ?? ""]));
    const entry = found.get(JSON.stringify(row)) ?? { row, hits: 0 };
    entry.hits++;
    found.set(JSON.stringify(row), entry);
  }
  return [...found.values()];
}

function byHits(by: readonly string[]) {
  return (a: { row: Row; hits: number }, b: { row: Row; hits: number }) => {
    if (a.hits !== b.hits) return b.hits - a.hits;
    for (const field of by) {
      const [x, y] = [a.row[field] ?? "", b.row[field] ?? ""];
      if (x !== y) return x < y ? -1 : 1;
    }
    return 0;
  };
}

function stats(rows: readonly Row[], pipe: Extract<PipeNode, { kind: "stats" }>): Row[] {
  const groups = new Map<string, { key: Row; rows: Row[] }>();
  if (pipe.by.length === 0) groups.set("{}", { key: {}, rows: [] });
  for (const row of rows) {
    const key = Object.fromEntries(
      pipe.by.map(({ field, bucket }) => {
        const value = row[field] ?? "";
        if (bucket === undefined) return [field, value];
        if (bucket.kind === "calendar" || bucket.kind === "ipv4") {
          throw new Error(`no naive ${bucket.kind}`);
        }
        if (bucket.kind === "number") {
          const number = numberOf(value);
          const low =
            Math.floor((number - bucket.offset) / bucket.step) * bucket.step + bucket.offset;
          return [field, Number.isNaN(number) ? value : String(low)];
        }
        if (Number.isNaN(Date.parse(value))) return [field, ""];
        const ms = Math.floor((Date.parse(value) - bucket.offset.ms) / bucket.step.ms);
        return [field, momentPrint({ ms: ms * bucket.step.ms + bucket.offset.ms, ns: 0 })];
      }),
    );
    const group = groups.get(JSON.stringify(key)) ?? { key, rows: [] };
    group.rows.push(row);
    groups.set(JSON.stringify(key), group);
  }
  return [...groups.values()].map(({ key, rows: own }) => ({
    ...key,
    ...Object.fromEntries(pipe.functions.map((each) => [each.as, aggregate(each, own)])),
  }));
}

function aggregate(node: StatsFunction, all: readonly Row[]): string {
  const { name, phi, filter, limit } = node;
  const names = Object.keys(all[0] ?? {});
  const args = [
    ...node.args,
    ...names.filter((each) => node.prefixes?.some((prefix) => each.startsWith(prefix))),
  ];
  const rows = filter === undefined ? all : all.filter((row) => matches(filter, row));
  const values = rows.flatMap((row) => args.map((field) => row[field] ?? ""));
  const numbers = values.map(numberOf).filter((value) => !Number.isNaN(value));
  const filled = values.filter((value) => value !== "");
  const tuples = rows.map((row) => args.map((field) => row[field] ?? ""));
  const sum = numbers.reduce((total, value) => total + value, 0);
  switch (name) {
    case "count":
      return String(
        args.length === 0 ? rows.length : tuples.filter((t) => t.some((v) => v !== "")).length,
      );
    case "count_empty":
      return String(tuples.filter((tuple) => tuple.every((value) => value === "")).length);
    case "count_uniq": {
      const distinct = new Set(
        tuples.filter((t) => t.some((v) => v !== "")).map((t) => JSON.stringify(t)),
      );
      return String(Math.min(distinct.size, limit ?? Number.POSITIVE_INFINITY));
    }
    case "sum":
      return numbers.length === 0 ? "NaN" : String(sum);
    case "avg":
      return numbers.length === 0 ? "NaN" : String(sum / numbers.length);
    case "min":
    case "max": {
      const sign = name === "max" ? 1 : -1;
      if (numbers.length > 0)
        return String(sign * Math.max(...numbers.map((value) => sign * value)));
      return filled.sort((a, b) => sign * compareValues(b, a))[0] ?? "";
    }
    case "median":
    case "quantile": {
      const sorted = numbers.sort((a, b) => a - b);
      const rank = Math.min(Math.floor((phi ?? 0.5) * sorted.length), sorted.length - 1);
      return sorted.length === 0 ? "" : String(sorted[rank]);
    }
    case "uniq_values":
      return JSON.stringify([...new Set(filled)].sort(compareValues).slice(0, limit));
    case "values":
      return JSON.stringify(filled);
    case "count_uniq_hash":
      return aggregate({ ...node, name: "count_uniq" }, rows);
    case "sum_len":
      return String(values.reduce((total, value) => total + Buffer.byteLength(value), 0));
    default:
      throw new Error(`no naive ${name}`);
  }
}
