import { ServiceError } from "../../../kit/src/errors.ts";
import { momentPrint } from "../../../kit/src/time.ts";
import type { PipeNode } from "../language/ast.ts";
import { histogramBucketsMax, histogramByMax } from "../limits.ts";
import { parseTime } from "../table/time-text.ts";
import { recordsOf } from "./encode.ts";
import { type QueryRequest, type QuerySummary, runQuery } from "./run.ts";

/** A query whose pipes are row pipes only; the question adds what counts. */
export type Question = Omit<QueryRequest, "limit" | "cursor">;

export interface Answered {
  readonly rows: readonly Record<string, string>[];
  readonly summary: QuerySummary;
}

/** Runs a query and gives its rows as objects: for answers of a few thousand rows at most. */
export async function collectAnswer(request: QueryRequest): Promise<Answered> {
  const answer = await runQuery(request);
  const rows: Record<string, string>[] = [];
  for await (const batch of answer.rows) rows.push(...recordsOf(batch));
  return { rows, summary: answer.summary() };
}

export interface Counted {
  readonly name: string;
  readonly hits: number;
}

export interface CountedAnswer {
  readonly values: readonly Counted[];
  readonly summary: QuerySummary;
}

/** The fields that the records have, with how many have each, most first. */
export function askFields(question: Question): Promise<CountedAnswer> {
  return counted(question, { kind: "fieldNames", as: "name" }, "name");
}

/** The `limit` most frequent values of a field, or all of them, the empty one left out. */
export function askFieldValues(
  question: Question,
  { field, limit }: { readonly field: string; readonly limit: number | undefined },
): Promise<CountedAnswer> {
  return counted(question, { kind: "fieldValues", field, limit }, field);
}

/** The `limit` streams with the most records, or all of them, by their canonical texts. */
export function askStreams(
  question: Question,
  { limit }: { readonly limit: number | undefined },
): Promise<CountedAnswer> {
  return counted(question, { kind: "fieldValues", field: "_stream", limit }, "_stream");
}

async function counted(question: Question, pipe: PipeNode, field: string): Promise<CountedAnswer> {
  const { rows, summary } = await collectAnswer(withPipe(question, pipe));
  const values = rows.map((row) => ({ name: row[field] ?? "", hits: Number(row["hits"]) }));
  return { values, summary };
}

function withPipe(question: Question, pipe: PipeNode): QueryRequest {
  const { query } = question;
  return { ...question, query: { ...query, pipes: [...query.pipes, pipe] } };
}

export interface Histogram {
  readonly stepMs: number;
  /** When the first bucket begins; bucket i begins `i × stepMs` later. */
  readonly startMs: number;
  /** Records in each bucket. */
  readonly counts: readonly number[];
  /** With `by`: the most frequent values, most first, then `undefined` for all others together. */
  readonly series: readonly HistogramSeries[] | undefined;
  readonly summary: QuerySummary;
}

export interface HistogramSeries {
  readonly value: string | undefined;
  readonly total: number;
  readonly counts: readonly number[];
}

/**
 * Records a bucket of `stepMs` over the range, which must not be open; buckets begin at multiples of the step.
 * Throws `query.invalid` for more buckets than a chart can show.
 */
export async function askHistogram(
  question: Question,
  { stepMs, by }: { readonly stepMs: number; readonly by?: string | undefined },
): Promise<Histogram> {
  const { from, to } = question.range;
  const startMs = Math.floor(from.ms / stepMs) * stepMs;
  const bucketCount = Math.max(Math.ceil((to.ms + (to.ns > 0 ? 1 : 0) - startMs) / stepMs), 1);
  if (!Number.isSafeInteger(stepMs) || stepMs < 1 || !(bucketCount <= histogramBucketsMax)) {
    throw new ServiceError("query.invalid", "a histogram has a bounded number of buckets", {
      stepMs,
      bucketsMax: histogramBucketsMax,
    });
  }
  const { rows, summary } = await collectAnswer(withPipe(question, histogramPipe(stepMs, by)));
  const counts = new Array<number>(bucketCount).fill(0);
  const series = new Map<string, number[]>();
  for (const row of rows) {
    const ms = parseTime(row["_time"] ?? "")?.ms ?? Number.NaN;
    const bucket = Math.round((ms - startMs) / stepMs);
    if (!(bucket >= 0 && bucket < bucketCount)) continue;
    const hits = Number(row["hits"]);
    counts[bucket] = (counts[bucket] as number) + hits;
    if (by === undefined) continue;
    const value = row[by] ?? "";
    const own = series.get(value) ?? new Array<number>(bucketCount).fill(0);
    own[bucket] = (own[bucket] as number) + hits;
    series.set(value, own);
  }
  return {
    stepMs,
    startMs,
    counts,
    series: by === undefined ? undefined : topSeries(series, bucketCount),
    summary,
  };
}

function histogramPipe(stepMs: number, by: string | undefined): PipeNode {
  const zero = { ms: 0, ns: 0 };
  const bucket = { kind: "time", step: { ms: stepMs, ns: 0 }, offset: zero } as const;
  const key = { field: "_time", bucket };
  const count = {
    name: "count",
    args: [],
    phi: undefined,
    limit: undefined,
    filter: undefined,
    as: "hits",
  } as const;
  const keys = by === undefined ? [key] : [key, { field: by, bucket: undefined }];
  return { kind: "stats", by: keys, functions: [count] };
}

function topSeries(
  series: ReadonlyMap<string, readonly number[]>,
  bucketCount: number,
): HistogramSeries[] {
  const all = [...series].map(([value, counts]) => ({ value, counts, total: sum(counts) }));
  all.sort((a, b) => b.total - a.total || (a.value < b.value ? -1 : 1));
  const shown: HistogramSeries[] = all.slice(0, histogramByMax);
  const others = all.slice(histogramByMax);
  if (others.length === 0) return shown;
  const counts = Array.from({ length: bucketCount }, (_, i) =>
    sum(others.map((each) => each.counts[i] ?? 0)),
  );
  return [...shown, { value: undefined, counts, total: sum(counts) }];
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** The text of a bucket's start, as queries print it. */
export function bucketTime({ startMs, stepMs }: Histogram, bucket: number): string {
  return momentPrint({ ms: startMs + bucket * stepMs, ns: 0 });
}
