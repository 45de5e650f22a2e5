import type { Response } from "express";
import type { Summary } from "../../../api/src/answers.ts";
import type { Settings } from "../../../config/src/schema.ts";
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

/** Resolves when the client has read, or has gone; one that has not read by then is gone. */
export async function drained(response: Response, untilMs: number): Promise<void> {
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

/** How a query ended, for its count: one whose client went away was cancelled, whatever it had answered by then. */
export function endedAs({ status, code }: QuerySummary, signal: AbortSignal): string {
  return signal.aborted || code === "query.cancelled" ? "cancelled" : status;
}
