import { assert } from "../../../kit/src/assert.ts";
import { type Moment, momentCompare } from "../../../kit/src/time.ts";
import type { FilterNode, PipeNode, Query, SortPipe, TimeBound } from "../language/ast.ts";
import type { InnerPipe } from "../language/pipe-node.ts";
import type { TimeRange } from "../source.ts";
import type { GatherPipeNode, Plan, RecordKey, Sink, Window, WrittenRowPipe } from "./plan.ts";
import { withStreamId } from "./stream-id.ts";

export interface SplitOptions {
  readonly range: TimeRange;
  /** Rows answered at most, whatever the pipes say. */
  readonly limit: number | undefined;
  readonly after?: PageEnd | undefined;
  /** Records come in the reverse of their usual order; only of a query that answers records. */
  readonly oldestFirst?: boolean | undefined;
}

/** Where an earlier page of a query for records ended. */
export interface PageEnd {
  /** The last record of the page. */
  readonly key: RecordKey;
  /** How many records of this very key the pages so far had, at least 1. */
  readonly ordinal: number;
  /** How many records the pages so far had. */
  readonly rows: number;
}

/** Splits a query, its times resolved, into what workers and what the main thread does. */
export function splitQuery(query: Query, options: SplitOptions): Plan {
  const range = narrowedRange(query.filter, options.range);
  const gatherAt = query.pipes.findIndex((pipe) => !isRowPipe(pipe));
  const pipes = (gatherAt < 0 ? query.pipes : query.pipes.slice(0, gatherAt)).filter(isRowPipe);
  const rest = gatherAt < 0 ? [] : query.pipes.slice(gatherAt);
  const { sink, window, pipesLeft } = sinkOf(pipes, rest, options);
  const projected = sink.kind === "gather" ? projection(sink.pipe, pipesLeft) : undefined;
  return {
    worker: {
      filter: query.filter,
      range,
      pipes: withStreamId(projected === undefined ? pipes : [...pipes, projected], query.pipes),
      sink,
    },
    window,
    rest: pipesLeft,
    limit: options.limit,
  };
}

/** Whether a query answers records one by one, which can be continued by a cursor. */
export function answersRecords(plan: Plan): boolean {
  return plan.worker.sink.kind === "records";
}

const everything: Window = { offset: 0, limit: undefined };

function sinkOf(
  pipes: readonly WrittenRowPipe[],
  rest: readonly PipeNode[],
  options: SplitOptions,
): { readonly sink: Sink; readonly window: Window; readonly pipesLeft: readonly PipeNode[] } {
  const [first] = rest;
  const isNewest = first?.kind === "sort" && sortsNewest(first, pipes);
  if (first !== undefined && isGatherPipe(first) && !isNewest) {
    const { window, count } = windowOf(rest.slice(1), false);
    const pipesLeft = rest.slice(1);
    const isPlainSort =
      first.kind === "sort" && first.partitionBy === undefined && first.rankAs === undefined;
    if (!isPlainSort || count === 0) {
      return { sink: { kind: "gather", pipe: first }, window: everything, pipesLeft };
    }
    const sorted = withWindow(first, window);
    return {
      sink: { kind: "gather", pipe: sorted },
      window: everything,
      pipesLeft: pipesLeft.slice(count),
    };
  }
  const { window, count } = windowOf(rest, isNewest);
  const pipesLeft = rest.slice(count);
  if (pipesLeft.length > 0) {
    return { sink: { kind: "newest", wanted: windowEnd(window) }, window, pipesLeft };
  }
  const page = pageOf(narrowed(window, { offset: 0, limit: options.limit }), window, options);
  // One more than is answered tells whether there is more.
  const end = windowEnd(page);
  const sink: Sink = {
    kind: "records",
    wanted: end === undefined ? undefined : end + 1 + (options.after?.ordinal ?? 0),
    from: options.after?.key,
    ...(options.oldestFirst === true ? { oldestFirst: true } : {}),
  };
  return { sink, window: page, pipesLeft };
}

/** A page after another: the offset has been skipped, and the query's own limit partly used up. */
function pageOf(page: Window, own: Window, { after, limit }: SplitOptions): Window {
  if (after === undefined) return page;
  const left = own.limit === undefined ? undefined : Math.max(own.limit - after.rows, 0);
  return { offset: 0, limit: least(left, limit) };
}

/** Whether a pipe looks at each row alone. */
export function isRowPipe(pipe: PipeNode): pipe is WrittenRowPipe {
  return !isWindow(pipe) && !isGatherPipe(pipe) && !isInnerPipe(pipe);
}

/** Whether a pipe needs all rows and can be split into partials. */
export function isGatherPipe(pipe: PipeNode): pipe is GatherPipeNode {
  switch (pipe.kind) {
    case "stats":
    case "sort":
    case "top":
    case "uniq":
    case "fieldNames":
    case "fieldValues":
    case "facets":
    case "blockStats":
    case "blocksCount":
      return true;
    default:
      return false;
  }
}

function isInnerPipe(pipe: PipeNode): pipe is InnerPipe {
  return pipe.kind === "join" || pipe.kind === "union" || pipe.kind === "streamContext";
}

type WindowPipe = Extract<PipeNode, { readonly kind: "limit" | "offset" }>;

function isWindow(pipe: PipeNode): pipe is WindowPipe {
  return pipe.kind === "limit" || pipe.kind === "offset";
}

/** The window that leading `limit` and `offset` pipes make together, after a first sort if told so. */
function windowOf(
  pipes: readonly PipeNode[],
  startsWithSort: boolean,
): { window: Window; count: number } {
  let window = everything;
  let count = 0;
  for (const pipe of pipes) {
    if (pipe.kind === "limit") window = narrowed(window, { offset: 0, limit: pipe.count });
    else if (pipe.kind === "offset")
      window = narrowed(window, { offset: pipe.count, limit: undefined });
    else if (pipe.kind === "sort" && count === 0 && startsWithSort) {
      window = narrowed(window, { offset: pipe.offset, limit: pipe.limit });
    } else break;
    count++;
  }
  return { window, count };
}

/** The window of a window. */
function narrowed(outer: Window, inner: Window): Window {
  const offset = outer.offset + inner.offset;
  const left = outer.limit === undefined ? undefined : Math.max(outer.limit - inner.offset, 0);
  return { offset, limit: least(left, inner.limit) };
}

function least(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return Math.min(a, b);
}

function windowEnd({ offset, limit }: Window): number | undefined {
  return limit === undefined ? undefined : offset + limit;
}

/** `sort by (_time desc)` over records is the order that they are answered in anyway. */
function sortsNewest(sort: SortPipe, pipes: readonly WrittenRowPipe[]): boolean {
  const [key] = sort.by;
  return (
    sort.by.length === 1 &&
    sort.partitionBy === undefined &&
    sort.rankAs === undefined &&
    key?.field === "_time" &&
    key.desc &&
    pipes.every((pipe) => pipe.kind === "filter")
  );
}

function withWindow(sort: SortPipe, window: Window): SortPipe {
  const { offset, limit } = narrowed({ offset: sort.offset, limit: sort.limit }, window);
  return { ...sort, offset, limit };
}

/** The fields that a sorted answer can need, when the next pipe names them: others never leave the worker. */
function projection(pipe: GatherPipeNode, rest: readonly PipeNode[]): WrittenRowPipe | undefined {
  const [next] = rest;
  if (pipe.kind !== "sort" || next?.kind !== "fields") return undefined;
  const keys = pipe.by.map(({ field }) => ({ name: field, prefix: false }));
  const groups = (pipe.partitionBy ?? []).map((name) => ({ name, prefix: false }));
  return { kind: "fields", fields: [...next.fields, ...keys, ...groups] };
}

/** The range without what `_time` filters that hold for every row rule out. */
export function narrowedRange(filter: FilterNode, range: TimeRange): TimeRange {
  if (filter.kind === "and") {
    return filter.parts.reduce((left, part) => narrowedRange(part, left), range);
  }
  if (filter.kind !== "time") return range;
  const from = filter.from === undefined ? range.from : later(range.from, momentOf(filter.from));
  const to = filter.to === undefined ? range.to : earlier(range.to, momentOf(filter.to));
  return { from, to };
}

function momentOf(bound: TimeBound): Moment {
  assert(bound.kind === "moment", "times are resolved before a query is planned");
  return bound;
}

function later(a: Moment, b: Moment): Moment {
  return momentCompare(a, b) >= 0 ? a : { ms: b.ms, ns: b.ns };
}

function earlier(a: Moment, b: Moment): Moment {
  return momentCompare(a, b) <= 0 ? a : { ms: b.ms, ns: b.ns };
}
