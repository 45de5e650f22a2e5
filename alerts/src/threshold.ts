import { ServiceError } from "../../kit/src/errors.ts";
import type {
  FilterNode,
  GroupKey,
  PipeNode,
  Query,
  StatsName,
  StatsPipe,
} from "../../query/src/language/ast.ts";
import { mapFilter } from "../../query/src/language/map-filter.ts";
import { parseNumeric } from "../../query/src/language/numeric.ts";
import { parseQuery } from "../../query/src/language/parse.ts";
import { printQuery } from "../../query/src/language/print.ts";
import { resolveTimes } from "../../query/src/language/resolve-times.ts";
import { splitQuery } from "../../query/src/plan/split.ts";
import type { AlertRecord, EvaluationRange } from "./ports.ts";
import type { Identity } from "./step.ts";

/** What a threshold compares and what it tells apart. */
export interface ThresholdPlan {
  readonly query: Query;
  /** The field of the rows that has the value. */
  readonly valueField: string;
  readonly groupFields: readonly string[];
  /** Whether the query says itself which time it is about. */
  readonly hasTime: boolean;
}

/** A group of an evaluation, or all of it for a rule without groups. */
export interface GroupValue extends Identity {
  /** NaN: the group has no number to compare. */
  readonly value: number;
}

/** Functions of `stats` that give no number. */
const textFunctions: ReadonlySet<StatsName> = new Set([
  "histogram",
  "json_values",
  "row_any",
  "row_max",
  "row_min",
  "uniq_values",
  "values",
]);

/**
 * Plans a threshold's query: the last `stats` pipe counts, the result of its first function is the value, and its `by`
 * makes the groups. Throws `query.syntax`, and `query.invalid` for a query that has no such value.
 */
export function planThreshold(text: string): ThresholdPlan {
  const query = parseQuery(text);
  const at = query.pipes.findLastIndex(({ kind }) => kind === "stats");
  const stats = query.pipes[at] as StatsPipe | undefined;
  if (stats === undefined) {
    throw new ServiceError("query.invalid", "a threshold needs a stats pipe, as | stats count()");
  }
  const after = query.pipes.slice(at + 1).find((pipe) => !keepsGroups(pipe));
  if (after !== undefined) {
    const what =
      "after the stats pipe of a threshold only filter, math, sort, limit and offset may stand";
    throw new ServiceError("query.invalid", what, { pipe: after.kind });
  }
  const [first] = stats.functions;
  if (first === undefined || textFunctions.has(first.name)) {
    const what = "the first function of a threshold's stats pipe must give a number";
    throw new ServiceError("query.invalid", what, { function: first?.name });
  }
  const groupFields = stats.by.map(({ field }) => field);
  return { query, valueField: first.as, groupFields, hasTime: asksTime(query.filter) };
}

/**
 * The range of a tick: one interval up to it, or all time up to it for a query with a `_time` filter of its own. Times
 * of the query that count from now count from the range's end.
 */
export function rangeOfTick(plan: ThresholdPlan, everyMs: number, tickMs: number): EvaluationRange {
  return { fromMs: plan.hasTime ? 0 : Math.max(tickMs - everyMs, 0), toMs: tickMs };
}

/** The values of an evaluation's rows by their groups' keys. */
export function valuesOf(
  { groupFields, valueField }: ThresholdPlan,
  rows: readonly AlertRecord[],
): Map<string, GroupValue> {
  const values = new Map<string, GroupValue>();
  for (const row of rows) {
    const identity = identityOf(groupFields.map((field) => [field, ownText(row, field) ?? ""]));
    values.set(identity.key, { ...identity, value: numberOf(ownText(row, valueField)) });
  }
  return values;
}

/** The instance of these labels; empty ones are none. */
export function identityOf(labels: readonly (readonly [string, string])[]): Identity {
  const sorted = labels
    .filter(([, value]) => value !== "")
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  const object = Object.fromEntries(sorted);
  return { key: JSON.stringify(object), labels: object };
}

/** Where the records of an evaluation are, and a query without pipes for them. */
export interface Records extends EvaluationRange {
  readonly query: string;
}

/**
 * The records behind an evaluation, or behind one group of it, as far as a filter can say it: pipes that change fields
 * ahead of `stats` leave the group out. Its times are moments, so that it means the same later.
 */
export function recordsOf(
  plan: ThresholdPlan,
  range: EvaluationRange,
  labels: Readonly<Record<string, string>>,
): Records {
  const query = resolveTimes(plan.query, range.toMs);
  const narrowed = splitQuery(
    { filter: query.filter, pipes: [] },
    {
      range: { from: { ms: range.fromMs, ns: 0 }, to: { ms: range.toMs, ns: 0 } },
      limit: undefined,
    },
  ).worker.range;
  const toMs = narrowed.to.ms + (narrowed.to.ns > 0 ? 1 : 0);
  const filter = allOf([query.filter, ...filtersAhead(query, labels)]);
  return {
    query: printQuery({ filter, pipes: [] }),
    fromMs: Math.min(narrowed.from.ms, toMs),
    toMs,
  };
}

/** What the `filter` pipes ahead of the stats pipe and the group add to the query's filter. */
function filtersAhead(query: Query, labels: Readonly<Record<string, string>>): FilterNode[] {
  const at = query.pipes.findLastIndex(({ kind }) => kind === "stats");
  const ahead = query.pipes.slice(0, at);
  const other = ahead.findIndex(({ kind }) => kind !== "filter");
  const filters = (other < 0 ? ahead : ahead.slice(0, other)).flatMap((pipe) =>
    pipe.kind === "filter" ? [pipe.filter] : [],
  );
  if (other >= 0) return filters;
  const stats = query.pipes[at] as StatsPipe;
  return [
    ...filters,
    ...stats.by.flatMap((key) => groupFilter(key, ownText(labels, key.field) ?? "")),
  ];
}

function groupFilter({ field, bucket }: GroupKey, value: string): FilterNode[] {
  if (bucket !== undefined || field === "_time") return [];
  return value === "" ? [{ kind: "empty", field }] : [{ kind: "exact", field, value }];
}

function allOf(filters: readonly FilterNode[]): FilterNode {
  const parts = filters
    .flatMap((filter) => (filter.kind === "and" ? filter.parts : [filter]))
    .filter(({ kind }) => kind !== "any");
  const [only] = parts;
  if (only === undefined) return { kind: "any" };
  return parts.length === 1 ? only : { kind: "and", parts };
}

/** Whether the rows still have the value and the groups behind the pipe. */
function keepsGroups({ kind }: PipeNode): boolean {
  return ["filter", "math", "sort", "limit", "offset"].includes(kind);
}

function asksTime(filter: FilterNode): boolean {
  let found = false;
  mapFilter(filter, (leaf) => {
    found ||= leaf.kind === "time";
    return leaf;
  });
  return found;
}

/** The text of a field; not what every object has, as `constructor`. */
function ownText(record: AlertRecord, field: string): string | undefined {
  return Object.hasOwn(record, field) ? record[field] : undefined;
}

function numberOf(text: string | undefined): number {
  const value = text === undefined ? undefined : parseNumeric(text);
  return value === undefined || !Number.isFinite(value) ? Number.NaN : value;
}
