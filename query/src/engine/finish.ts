import { type ErrorCode, type ErrorFields, ServiceError } from "../../../kit/src/errors.ts";
import type { PipeNode } from "../language/ast.ts";
import { keptAnswerBytesMax } from "../limits.ts";
import { createGatherPipe } from "../pipe/create.ts";
import type { GatherPipe, Rows } from "../pipe/pipe.ts";
import type { Sink, Window } from "../plan/plan.ts";
import { collectRows } from "../table/collect.ts";
import { orderedRows } from "../table/order.ts";
import { buffersOf, type PostedRows, partialBuffers, postedOf } from "../table/posted.ts";
import { TableBlock } from "../table/table-block.ts";
import type { View } from "../table/view.ts";
import { byteSizeOf } from "./byte-size.ts";
import { runPipes, windowed } from "./rest.ts";
import { createNewest } from "./sink.ts";

/** What is done with merged answers: plain data. */
export interface Ending {
  readonly sink: Sink;
  readonly window: Window;
  readonly rest: readonly PipeNode[];
  /** Rows answered at most. */
  readonly limit: number | undefined;
  /** Rows that earlier pages had. */
  readonly skip: number;
}

/** A query's last piece of work, for a worker when there is much of it. */
export interface FinishTask {
  readonly ending: Ending;
  readonly partials: readonly unknown[];
}

export type FinishMessage =
  | { readonly kind: "done"; readonly rows: PostedRows; readonly limited: boolean }
  | {
      readonly kind: "failed";
      readonly code: ErrorCode;
      readonly message: string;
      readonly fields: ErrorFields;
    };

/** Rows answered, and whether there were more than the limit. */
export interface Ended {
  readonly found: Rows;
  readonly limited: boolean;
}

/** What merges the answers of a sink that gathers. */
export function gatherOf(sink: Sink): GatherPipe {
  if (sink.kind === "gather") return createGatherPipe(sink.pipe);
  return createNewest(sink.kind === "newest" ? sink.wanted : undefined);
}

export function endOf(gather: GatherPipe, { sink, window, rest, limit, skip }: Ending): Ended {
  const gathered = windowed(gather.finish(), window);
  let all = runPipes(gathered, rest);
  const isPaged = skip > 0 || (limit !== undefined && all.rows.length > limit);
  const names = isPaged ? unorderedKeys(sink) : undefined;
  if (names !== undefined) all = runPipes(ordered(gathered, names), rest);
  const found = windowed(all, { offset: skip, limit });
  return { found, limited: skip + found.rows.length < all.rows.length };
}

/** What tells the rows of an aggregate apart that come in the order in which workers were done. */
function unorderedKeys(sink: Sink): readonly string[] | undefined {
  if (sink.kind !== "gather") return undefined;
  if (sink.pipe.kind === "stats") return sink.pipe.by.map(({ field }) => field);
  return sink.pipe.kind === "uniq" ? sink.pipe.by : undefined;
}

/** Pages fit each other only in one order; whatever sorts later keeps it among what is equal. */
function ordered({ view, rows }: Rows, names: readonly string[]): Rows {
  const by = names.map((field) => ({ field, desc: false }));
  const scattered = { views: [view], viewOf: new Uint32Array(rows.length), rows };
  const order = orderedRows(scattered, { kind: "keys", by });
  return { view, rows: order.map((i) => rows[i] as number) };
}

/** The rows as all of a view's: those of a view that is not so already are copied. */
function ownView({ view, rows }: Rows): View {
  const isAll = rows.length === view.rowCount && rows.every((row, i) => row === i);
  if (isAll && view.block instanceof TableBlock) return view;
  return collectRows({ views: [view], viewOf: new Uint32Array(rows.length), rows });
}

/** The buffers of a message that may be moved to another thread. */
export function finishTransferables(message: FinishMessage): ArrayBuffer[] {
  return message.kind === "done" ? buffersOf(message.rows) : [];
}

/** The buffers of a piece of work that may be moved: what is small may be kept for the same question, too. */
export function taskTransferables({ partials }: FinishTask): ArrayBuffer[] {
  return partials
    .filter((partial) => byteSizeOf(partial) > keptAnswerBytesMax)
    .flatMap((partial) => partialBuffers(partial));
}

/** Does the work; whatever a caller can bring about is in the message, never thrown. */
export function runFinish({ ending, partials }: FinishTask): FinishMessage {
  try {
    const gather = gatherOf(ending.sink);
    for (const partial of partials) gather.merge(partial);
    const { found, limited } = endOf(gather, ending);
    return { kind: "done", rows: postedOf(ownView(found)), limited };
  } catch (thrown) {
    if (!(thrown instanceof ServiceError)) throw thrown;
    const { code, message, fields } = thrown;
    return { kind: "failed", code, message, fields };
  }
}
