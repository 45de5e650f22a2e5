import { ServiceError } from "../../../kit/src/errors.ts";
import type { RowBatch } from "../engine/record-merger.ts";
import { type QueryRequest, type QuerySummary, runQuery } from "../engine/run.ts";
import { splitQuery } from "../plan/split.ts";
import { lastPageRows, pageMsMax, pageTimeoutMs } from "./limits.ts";

export interface ExportRequest extends Omit<QueryRequest, "timeoutMs"> {
  /** Waits for a place among the queries that run; what it gives hands the place back. */
  readonly enter: () => Promise<() => void>;
}

/** Rows, and where the export goes on after them. */
export interface ExportBatch extends RowBatch {
  readonly cursor: string;
}

export interface ExportSummary extends Pick<QuerySummary, "status" | "missing" | "scanned"> {
  readonly rows: number;
  /** Where it goes on when its limit ended it. */
  readonly cursor?: string;
  readonly took_ms: number;
}

/**
 * All records of a query, however many, page after page, so that no cut of the store is held for long. A page goes on
 * where the one before ended, through seals and merges. Records that arrive meanwhile are in it when their place has not been passed.
 */
export class ExportRun {
  readonly #request: ExportRequest;
  readonly #startMs = performance.now();
  readonly #missing = new Set<string>();
  readonly #scanned = { rows: 0, bytes: 0, blocks: 0 };
  #rows = 0;
  #cursor: string | undefined;
  #goesOn = false;

  /** Throws `query.invalid` for a query whose rows have no place of their own. */
  constructor(request: ExportRequest) {
    const { query, range } = request;
    const { worker } = splitQuery(query, { range, limit: undefined });
    if (worker.sink.kind !== "records") {
      const message = "only records can be exported; ask for sorted rows and aggregates by a query";
      throw new ServiceError("query.invalid", message);
    }
    this.#request = request;
    this.#cursor = request.cursor;
  }

  /** Whether something is known to be missing by now. */
  get isPartial(): boolean {
    return this.#missing.size > 0;
  }

  summary(): ExportSummary {
    return {
      status: this.isPartial ? "partial" : "complete",
      missing: [...this.#missing],
      rows: this.#rows,
      ...(this.#goesOn && this.#cursor !== undefined ? { cursor: this.#cursor } : {}),
      scanned: this.#scanned,
      took_ms: Math.round((performance.now() - this.#startMs) * 1000) / 1000,
    };
  }

  /** Once through. Throws a `ServiceError` when it fails on its way. */
  async *rows(): AsyncGenerator<ExportBatch> {
    for (;;) {
      const leave = await this.#request.enter();
      try {
        if (yield* this.#page()) return;
      } finally {
        leave();
      }
    }
  }

  /** Gives whether it was the last. */
  async *#page(): AsyncGenerator<ExportBatch, boolean> {
    const { limit } = this.#request;
    const left = limit === undefined ? Number.POSITIVE_INFINITY : limit - this.#rows;
    const isLast = left <= lastPageRows;
    const answer = await runQuery({
      ...this.#request,
      limit: isLast ? left : undefined,
      cursor: this.#cursor,
      timeoutMs: pageTimeoutMs,
    });
    for (const each of answer.missing) this.#missing.add(each);
    const endMs = performance.now() + pageMsMax;
    let rows = 0;
    let isWhole = true;
    for await (const batch of answer.rows) {
      this.#rows += batch.rows;
      rows += batch.rows;
      this.#cursor = answer.cursor() as string;
      yield { ...batch, cursor: this.#cursor };
      const isLong = !isLast && (performance.now() > endMs || left - rows <= lastPageRows);
      if (!isLong) continue;
      isWhole = false;
      break;
    }
    const { missing, scanned, limited } = answer.summary();
    for (const each of missing) this.#missing.add(each);
    this.#scanned.rows += scanned.rows;
    this.#scanned.bytes += scanned.bytes;
    this.#scanned.blocks += scanned.blocks;
    this.#goesOn = isWhole && limited;
    return isWhole;
  }
}
