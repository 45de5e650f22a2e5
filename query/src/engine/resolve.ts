import { ServiceError } from "../../../kit/src/errors.ts";
import type { FilterNode, PipeNode, Query } from "../language/ast.ts";
import { mapQuery } from "../language/map-filter.ts";
import type { InnerRow } from "../language/pipe-node.ts";
import { subqueryField } from "../language/subquery.ts";
import { innerBytesMax, innerQueriesMax, innerRowsMax, innerValuesMax } from "../limits.ts";
import { withRates } from "../plan/rates.ts";
import { narrowedRange } from "../plan/split.ts";
import { asksStreamId } from "../plan/stream-id.ts";
import type { TimeRange } from "../source.ts";
import { streamIdField, streamIdOf } from "../table/stream-id.ts";
import { recordsOf } from "./encode.ts";
import type { FragmentPool } from "./pool.ts";
import type { QueryAnswer, QueryRequest, QuerySummary } from "./run.ts";
import { contextRows } from "./stream-context.ts";

type Scanned = QuerySummary["scanned"];

/** A query without others in it, and what it took to answer those. */
export interface Resolved {
  readonly request: QueryRequest;
  /** What the inner answers were without. */
  readonly missing: readonly string[];
  readonly scanned: Scanned;
}

/** Runs a query whose inner ones have been answered already. */
export type Run = (request: QueryRequest) => Promise<QueryAnswer>;

/**
 * Answers the queries within a query, the innermost first, and puts their values and rows in their places; then what the query asks of its
 * range (`rate`) is known too. Most queries have none within them and are given back at once. Throws a `ServiceError`: an inner query's own,
 * or `query.memory` when its answer is larger than may be held.
 */
export async function resolveInner(request: QueryRequest, run: Run): Promise<Resolved> {
  const resolver = new Resolver(request, run);
  const query = await resolver.resolve(request.query, request.range);
  return { request: resolver.outer(query), missing: resolver.missing, scanned: resolver.scanned };
}

/** All times that records can have. */
const allTimes: TimeRange = { from: { ms: -8.64e15, ns: 0 }, to: { ms: 8.64e15, ns: 0 } };

class Resolver {
  readonly missing: string[] = [];
  readonly scanned = { rows: 0, bytes: 0, blocks: 0 };
  readonly #request: QueryRequest;
  readonly #run: Run;
  readonly #startMs = performance.now();
  #count = 0;

  constructor(request: QueryRequest, run: Run) {
    this.#request = request;
    this.#run = run;
  }

  /** The request with its query resolved, and what is left of its time. */
  outer(query: Query): QueryRequest {
    const { options } = query;
    const request = { ...this.#request, query, pool: limitedPool(this.#request.pool, options) };
    return this.#count === 0 ? request : { ...request, timeoutMs: this.#timeLeft() };
  }

  async resolve(query: Query, range: TimeRange): Promise<Query> {
    const values = await this.#valuesOf(query, range);
    const filled =
      values.size === 0 ? query : mapQuery(query, (filter) => withValues(filter, values));
    const pipes: PipeNode[] = [];
    for (const pipe of withRates(filled.pipes, narrowedRange(filled.filter, range))) {
      const isInner = pipe.kind === "join" || pipe.kind === "union";
      pipes.push(
        isInner ? { ...pipe, found: await this.#ask(pipe.query, range, innerRowsMax) } : pipe,
      );
    }
    const [first, ...rest] = pipes;
    if (first?.kind !== "streamContext") return { ...filled, pipes };
    const found = await contextRows(
      first,
      { filter: filled.filter, range },
      (inner, within, rowsMax) => this.#find(inner, within, rowsMax),
    );
    // Nothing is left to look for: what was found stands where a union's rows would.
    const nothing: FilterNode = { kind: "time", from: noTime, to: noTime };
    const rows = asksStreamId(rest) ? found.map(withIdOf) : found;
    return { filter: nothing, pipes: [{ kind: "union", query: filled, found: rows }, ...rest] };
  }

  /** The values of every query within a filter, by its node. */
  async #valuesOf(query: Query, range: TimeRange): Promise<Map<FilterNode, readonly string[]>> {
    const nodes = new Set<Extract<FilterNode, { readonly kind: "subquery" }>>();
    mapQuery(query, (filter) => {
      for (const node of subqueriesIn(filter)) nodes.add(node);
      return filter;
    });
    const values = new Map<FilterNode, readonly string[]>();
    for (const node of nodes) {
      const field = subqueryField(node.query) ?? "";
      const by: PipeNode = { kind: "uniq", by: [field], hitsAs: undefined, limit: undefined };
      const distinct = { ...node.query, pipes: [...node.query.pipes, by] };
      const rows = await this.#ask(distinct, range, innerValuesMax);
      values.set(
        node,
        rows.map((row) => row[field] ?? ""),
      );
    }
    return values;
  }

  async #ask(query: Query, outer: TimeRange, rowsMax: number): Promise<Record<string, string>[]> {
    if (++this.#count > innerQueriesMax) {
      throw new ServiceError("query.invalid", "too many queries stand within this one", {
        queriesMax: innerQueriesMax,
      });
    }
    return this.#find(query, outer, rowsMax);
  }

  /** As `#ask`, for queries that nobody wrote: a context has one for each of its streams, which it bounds itself. */
  async #find(query: Query, outer: TimeRange, rowsMax: number): Promise<Record<string, string>[]> {
    const range = query.options?.ignoreGlobalTimeFilter === true ? allTimes : outer;
    const resolved = await this.resolve(query, range);
    const answer = await this.#run({
      ...this.#request,
      pool: limitedPool(this.#request.pool, query.options),
      query: resolved,
      range,
      limit: rowsMax,
      cursor: undefined,
      timeoutMs: this.#timeLeft(),
    });
    const rows: Record<string, string>[] = [];
    let bytes = 0;
    for await (const batch of answer.rows) {
      bytes += batch.bytes.byteLength;
      if (bytes > innerBytesMax) throw tooLarge({ bytesMax: innerBytesMax });
      for (const row of recordsOf(batch)) rows.push(row);
    }
    this.#note(answer.summary(), rowsMax);
    return rows;
  }

  #note({ limited, missing, scanned }: QuerySummary, rowsMax: number): void {
    if (limited) throw tooLarge({ rowsMax });
    this.missing.push(...missing.filter((each) => !this.missing.includes(each)));
    this.scanned.rows += scanned.rows;
    this.scanned.bytes += scanned.bytes;
    this.scanned.blocks += scanned.blocks;
  }

  #timeLeft(): number | undefined {
    const { timeoutMs } = this.#request;
    if (timeoutMs === undefined) return undefined;
    return Math.max(1, timeoutMs - (performance.now() - this.#startMs));
  }
}

function withIdOf(row: InnerRow): InnerRow {
  return { ...row, [streamIdField]: streamIdOf({ text: row["_stream"] ?? "{}" }) };
}

const noTime = { kind: "moment", ms: 0, ns: 0 } as const;

function tooLarge(fields: Readonly<Record<string, number>>): ServiceError {
  const message = "a query within the query finds more than may be held, narrow it down";
  return new ServiceError("query.memory", message, fields);
}

function* subqueriesIn(
  node: FilterNode,
): Iterable<Extract<FilterNode, { readonly kind: "subquery" }>> {
  if (node.kind === "subquery") yield node;
  else if (node.kind === "not") yield* subqueriesIn(node.part);
  else if (node.kind === "and" || node.kind === "or") {
    for (const part of node.parts) yield* subqueriesIn(part);
  }
}

function withValues(
  node: FilterNode,
  values: ReadonlyMap<FilterNode, readonly string[]>,
): FilterNode {
  switch (node.kind) {
    case "and":
    case "or":
      return { kind: node.kind, parts: node.parts.map((part) => withValues(part, values)) };
    case "not":
      return { kind: "not", part: withValues(node.part, values) };
    case "subquery":
      return { kind: node.test, field: node.field, values: values.get(node) ?? [] };
    default:
      return node;
  }
}

/** `options(concurrency=2)`: fewer pieces of work at a time. */
function limitedPool(pool: FragmentPool, options: Query["options"]): FragmentPool {
  const { concurrency = pool.size } = options ?? {};
  if (concurrency >= pool.size) return pool;
  return { size: concurrency, run: (plan, task, signal) => pool.run(plan, task, signal) };
}
