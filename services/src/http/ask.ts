import type { Response } from "express";
import type { Summary } from "../../../api/src/answers.ts";
import type { Settings } from "../../../config/src/schema.ts";
import { ServiceError } from "../../../kit/src/errors.ts";
import type { Logger } from "../../../kit/src/logger.ts";
import { cursorTime } from "../../../query/src/engine/cursor.ts";
import type { Question } from "../../../query/src/engine/questions.ts";
import type { QuerySummary } from "../../../query/src/engine/run.ts";
import type { Metrics } from "../metrics.ts";
import type { QueryIndex } from "../query-index.ts";
import { parseQuestion } from "../question.ts";
import type { Identity } from "./identity.ts";
import { parseStep, rangeOf } from "./moments.ts";
import type { QueryGate } from "./query-gate.ts";

export interface QueryRoutesDeps {
  readonly index: QueryIndex;
  readonly gate: QueryGate;
  readonly settings: Settings;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/** A form with a query in it. */
export const formMaxBytes = 256 * 1024;

export interface AskParams {
  readonly query?: string | undefined;
  readonly start?: string | undefined;
  readonly end?: string | undefined;
  readonly timeout?: string | undefined;
  readonly partial?: "allow" | "deny" | undefined;
  readonly cursor?: string | undefined;
}

/**
 * What every question has in common. Relative times of one that goes on by a cursor count from when it was begun. Throws
 * `request.malformed`, `query.syntax` and `query.cursor`.
 */
export function questionOf(
  { index, settings }: QueryRoutesDeps,
  params: AskParams,
  { tenant }: Identity,
  response: Response,
): Question & { readonly signal: AbortSignal } {
  const now = (params.cursor === undefined ? undefined : cursorTime(params.cursor)) ?? Date.now();
  const asked = parseStep(params.timeout, "timeout") ?? settings.query.timeoutMs;
  const times = {
    timeoutMs: Math.min(asked, settings.query.timeoutMs),
    signal: goneSignal(response),
  };
  return {
    ...index.answering(times),
    ...times,
    tenant,
    query: parseQuestion(params.query ?? "*", now),
    range: rangeOf(params, now),
    memoryBytesMax: settings.query.memoryMaxBytes,
    partial: params.partial,
    asOfMs: now,
  };
}

/** Aborted when the client goes away before its answer is whole. */
export function goneSignal(response: Response): AbortSignal {
  const gone = new AbortController();
  response.once("close", () => {
    if (!response.writableFinished) gone.abort();
  });
  return gone.signal;
}

/** How a body is told of. */
export interface Telling {
  /** Called before the first bytes, with which status and headers go out. */
  begin(): void;
  /** Whether the client knows, at the end of the body, what the answer is without. */
  isTold(): boolean;
  /** Until when a client that does not read is waited for, by `performance.now()`. */
  untilMs(): number;
}

/** Writes a body as fast as the client reads it; breaks the transfer off when nothing else tells that it is partial. */
export async function sendBody(
  response: Response,
  body: AsyncIterable<Uint8Array>,
  { begin, isTold, untilMs }: Telling,
): Promise<void> {
  for await (const chunk of body) {
    if (response.destroyed) return;
    if (!response.headersSent) begin();
    if (response.write(chunk)) continue;
    await drained(response, untilMs());
  }
  if (!response.headersSent) begin();
  if (isTold()) response.end();
  else response.destroy();
}

/** Resolves when the client has read, or has gone; one that has not read by then is gone. */
async function drained(response: Response, untilMs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const late = setTimeout(() => response.destroy(), Math.max(0, untilMs - performance.now()));
  response.once("drain", resolve).once("close", resolve);
  await promise;
  response.off("drain", resolve).off("close", resolve);
  clearTimeout(late);
}

/** The summary as it is told. */
export function summaryOf({
  status,
  code,
  missing,
  cursor,
  scanned,
  took_ms,
}: QuerySummary): Summary {
  return {
    status,
    ...(code === undefined ? {} : { code }),
    ...(missing.length === 0 ? {} : { missing: [...missing] }),
    ...(cursor === undefined ? {} : { cursor }),
    scanned: scanned.bytes,
    took_ms,
  };
}

/** Says in a header that something is missing. */
export function tellPartial(response: Response, { status }: QuerySummary): void {
  if (status === "partial") response.setHeader("X-Logkeep-Partial", "true");
}

/** Throws `query.invalid` where records come from an index that has them in one order only. */
export function checkOrder({ settings }: QueryRoutesDeps): void {
  if (settings.query.index === "embedded") return;
  throw new ServiceError("query.invalid", "Elasticsearch answers the newest records first only");
}

/** How a query ended, for its count: one whose client went away was cancelled, whatever it had answered by then. */
export function endedAs({ status, code }: QuerySummary, signal: AbortSignal): string {
  return signal.aborted || code === "query.cancelled" ? "cancelled" : status;
}
