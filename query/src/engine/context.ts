import type { Moment } from "../../../kit/src/time.ts";
import type { FilterNode, PipeNode, Query } from "../language/ast.ts";
import { contextRecordsMax } from "../limits.ts";
import type { TimeRange } from "../source.ts";
import { collectAnswer, type Question } from "./questions.ts";
import type { QuerySummary } from "./run.ts";

export interface ContextRequest {
  /** The record's time. */
  readonly time: Moment;
  /** Its stream's canonical text. */
  readonly stream: string;
  /** Records wanted on each side, 0 to `contextRecordsMax`. */
  readonly before: number;
  readonly after: number;
}

export interface Context {
  /** Oldest first; the records at the very time stand in `at`. */
  readonly before: readonly Record<string, string>[];
  readonly at: readonly Record<string, string>[];
  readonly after: readonly Record<string, string>[];
  readonly summaries: readonly QuerySummary[];
}

type ContextQuestion = Omit<Question, "query">;

const hourMs = 3_600_000;

/** How far to look at first, then next; a busy stream answers from its neighbourhood. */
const reachesMs: readonly number[] = [hourMs, 24 * hourMs];

/** The records of one stream around one of them, within the question's range. */
export async function askContext(
  question: ContextQuestion,
  request: ContextRequest,
): Promise<Context> {
  const { time, before, after } = request;
  const next = nextMoment(time);
  const { from, to } = question.range;
  const older = await newest(question, request, { from, to: time }, before);
  const same = await newest(question, request, { from: time, to: next }, contextRecordsMax);
  const newer = await oldest(question, request, { from: next, to }, after);
  return {
    before: older.rows.toReversed(),
    at: same.rows.toReversed(),
    after: newer.rows,
    summaries: [older.summary, same.summary, newer.summary],
  };
}

function newest(
  question: ContextQuestion,
  request: ContextRequest,
  range: TimeRange,
  count: number,
) {
  const limit = Math.min(count, contextRecordsMax);
  return collectAnswer({ ...question, query: ofStream(request.stream, []), range, limit });
}

/** Parts are read newest first, so that a whole range of newer ones is looked through only when a near one is not enough. */
async function oldest(
  question: ContextQuestion,
  request: ContextRequest,
  range: TimeRange,
  count: number,
) {
  const limit = Math.min(count, contextRecordsMax);
  const sort: PipeNode = {
    kind: "sort",
    by: [{ field: "_time", desc: false }],
    offset: 0,
    limit,
  };
  const query = ofStream(request.stream, [sort]);
  for (const reachMs of reachesMs) {
    const near = { ms: range.from.ms + reachMs, ns: range.from.ns };
    if (near.ms >= range.to.ms) break;
    const found = await collectAnswer({
      ...question,
      query,
      range: { from: range.from, to: near },
    });
    if (found.rows.length >= limit) return found;
  }
  return collectAnswer({ ...question, query, range });
}

function ofStream(stream: string, pipes: readonly PipeNode[]): Query {
  const filter: FilterNode = { kind: "exact", field: "_stream", value: stream };
  return { filter, pipes };
}

function nextMoment({ ms, ns }: Moment): Moment {
  return ns === 999_999 ? { ms: ms + 1, ns: 0 } : { ms, ns: ns + 1 };
}
