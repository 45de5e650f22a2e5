import { ServiceError } from "../../../kit/src/errors.ts";
import type { FilterNode, PipeNode, Query } from "../language/ast.ts";
import type { InnerRow, StreamContextPipe } from "../language/pipe-node.ts";
import { contextStreamsMax, innerRowsMax } from "../limits.ts";
import type { TimeRange } from "../source.ts";
import { parseTime } from "../table/time-text.ts";

/** Asks a query; more rows than told are an error. */
export type Ask = (query: Query, range: TimeRange, rowsMax: number) => Promise<readonly InnerRow[]>;

interface Found {
  readonly filter: FilterNode;
  readonly range: TimeRange;
}

/** Marks the records that were found among their neighbours; no field is called so. */
const mark = "\u0000found";
const hourMs = 3_600_000;

/**
 * The records that a filter finds, each with its neighbours of the same stream, by stream and then by time; records that do not follow
 * each other are kept apart by one whose message is `---`. Throws `query.memory` beyond the limits on streams and rows.
 */
export async function contextRows(
  pipe: StreamContextPipe,
  found: Found,
  ask: Ask,
): Promise<readonly InnerRow[]> {
  const all: InnerRow[] = [];
  const streams = await streamsOf(found, ask);
  checkLimit("streams", streams.length, contextStreamsMax);
  for (const [stream, span] of streams) {
    const reachMs = pipe.window.ms + 1;
    const range: TimeRange = {
      from: { ms: span.fromMs - reachMs, ns: 0 },
      to: { ms: span.toMs + reachMs, ns: 0 },
    };
    const neighbours = await ask(ofStream(stream, found), range, innerRowsMax);
    const chunks = chunksOf(neighbours, pipe);
    for (const chunk of chunks) {
      if (all.length > 0) all.push({ _stream: stream, _msg: "---" });
      for (const row of chunk) all.push(row);
    }
    checkLimit("rows", all.length, innerRowsMax);
  }
  return all;
}

function checkLimit(what: "streams" | "rows", count: number, max: number): void {
  if (count <= max) return;
  throw new ServiceError("query.memory", `stream_context finds more than ${max} ${what}`, {
    [`${what}Max`]: max,
  });
}

/** Between which times each stream has records that were found. */
async function streamsOf({ filter, range }: Found, ask: Ask) {
  const step = { ms: hourMs, ns: 0 };
  const bucket = { kind: "time", step, offset: { ms: 0, ns: 0 } } as const;
  const count = { name: "count", args: [], phi: undefined, limit: undefined } as const;
  const stats: PipeNode = {
    kind: "stats",
    by: [
      { field: "_stream", bucket: undefined },
      { field: "_time", bucket },
    ],
    functions: [{ ...count, filter: undefined, as: "n" }],
  };
  const rows = await ask({ filter, pipes: [stats] }, range, contextStreamsMax * 24 * 31);
  const spans = new Map<string, { fromMs: number; toMs: number }>();
  for (const row of rows) {
    const stream = row["_stream"] ?? "{}";
    const fromMs = parseTime(row["_time"] ?? "")?.ms ?? 0;
    const span = spans.get(stream) ?? { fromMs, toMs: fromMs + hourMs };
    span.fromMs = Math.min(span.fromMs, fromMs);
    span.toMs = Math.max(span.toMs, fromMs + hourMs);
    spans.set(stream, span);
  }
  return [...spans].sort(([a], [b]) => (a < b ? -1 : 1));
}

/** All records of a stream, the newest first, those that were found with a mark. */
function ofStream(stream: string, { filter, range }: Found): Query {
  const within: FilterNode = {
    kind: "time",
    from: { kind: "moment", ...range.from },
    to: { kind: "moment", ...range.to },
  };
  const format: PipeNode = {
    kind: "format",
    pattern: { steps: [], tail: "1" },
    as: mark,
    filter: { kind: "and", parts: [within, filter] },
    keepOriginal: false,
    skipEmpty: false,
  };
  return { filter: { kind: "exact", field: "_stream", value: stream }, pipes: [format] };
}

/** Runs of records that follow each other, oldest first. `rows` is newest first. */
function chunksOf(rows: readonly InnerRow[], pipe: StreamContextPipe): InnerRow[][] {
  const { before, after } = pipe;
  const ordered = rows.toReversed();
  const times = ordered.map((row) => parseTime(row["_time"] ?? "") ?? { ms: 0, ns: 0 });
  const windowMs = pipe.window.ms + pipe.window.ns / 1e6;
  const reaches = (i: number, j: number) => {
    const [a, b] = [times[i], times[j]];
    return a !== undefined && b !== undefined && b.ms - a.ms + (b.ns - a.ns) / 1e6 <= windowMs;
  };
  const wanted = new Uint8Array(ordered.length);
  for (const [i, row] of ordered.entries()) {
    if (!Object.hasOwn(row, mark)) continue;
    wanted[i] = 1;
    for (let j = i - 1; j >= Math.max(0, i - before) && reaches(j, i); j--) wanted[j] = 1;
    for (let j = i + 1; j < ordered.length && j <= i + after && reaches(i, j); j++) wanted[j] = 1;
  }
  const chunks: InnerRow[][] = [];
  for (const [i, row] of ordered.entries()) {
    if (wanted[i] !== 1) continue;
    if (i === 0 || wanted[i - 1] !== 1) chunks.push([]);
    const { [mark]: _, ...shown } = row;
    chunks.at(-1)?.push(shown);
  }
  return chunks;
}
