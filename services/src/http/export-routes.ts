import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip, createZstdCompress } from "node:zlib";
import type { Request, Response } from "express";
import express from "express";
import type { z } from "zod";
import type { ExportSummary } from "../../../api/src/answers.ts";
import { exportParams } from "../../../api/src/params.ts";
import { ServiceError, serviceErrorOf } from "../../../kit/src/errors.ts";
import { csvBody } from "../../../query/src/engine/encode.ts";
import { exportColumns } from "../../../query/src/export/columns.ts";
import { type ExportRequest, ExportRun } from "../../../query/src/export/export-run.ts";
import { exportLines } from "../../../query/src/export/lines.ts";
import { parquetBody } from "../../../query/src/export/parquet.ts";
import type { App } from "./app.ts";
import { checkOrder, formMaxBytes, type QueryRoutesDeps, questionOf, sendBody } from "./ask.ts";
import type { Identity } from "./identity.ts";
import { parseParams } from "./query-options.ts";

/** Exports at a time: each may run for hours and holds some megabytes, a row group with its texts at most. */
const exportsMax = 4;

type Format = "ndjson" | "csv" | "parquet";
type Params = z.output<typeof exportParams>;

const mediaOf: Readonly<Record<Format, string>> = {
  ndjson: "application/x-ndjson",
  csv: "text/csv; charset=utf-8",
  parquet: "application/vnd.apache.parquet",
};

export interface ExportRoutesDeps extends QueryRoutesDeps {
  /** Aborted when the service stops: exports break off at once, since their clients go on elsewhere or later. */
  readonly stopping: AbortSignal;
}

/** `GET|POST /api/v1/export`. */
export function mountExport(app: App, deps: ExportRoutesDeps): void {
  const path = "/api/v1/export";
  const places = new Places();
  const type = "application/x-www-form-urlencoded";
  app.express.post(path, express.text({ type, limit: formMaxBytes }));
  for (const method of ["get", "post"] as const) {
    app.mount(method, path, "read", (request, response, identity) =>
      places.run(() => serveExport(deps, request, response, identity)),
    );
  }
}

class Places {
  #running = 0;

  /** Throws `query.busy` when all are taken. */
  async run(work: () => Promise<void>): Promise<void> {
    if (this.#running >= exportsMax) {
      throw new ServiceError("query.busy", "too many exports are running", { exportsMax });
    }
    this.#running++;
    try {
      await work();
    } finally {
      this.#running--;
    }
  }
}

async function serveExport(
  deps: ExportRoutesDeps,
  request: Request,
  response: Response,
  identity: Identity,
): Promise<void> {
  const params = parseParams(exportParams, request);
  const { format = "ndjson" } = params;
  checkFlags(params, format);
  const asked = exportRequest(deps, params, identity, response);
  const run = new ExportRun(asked);
  const needsColumns = format !== "ndjson" || params.columns === "1";
  const columns = needsColumns ? await exportColumns(asked) : undefined;
  const body = bodyOf(run, format, params, columns);
  const isTrailed = format !== "ndjson";
  response.setHeader("Content-Type", mediaOf[format]);
  // For who cannot be told of a cursor within the body.
  if (isTrailed) response.setHeader("Trailer", "X-Logkeep-Cursor");
  const tell = (): void => {
    if (run.isPartial) response.setHeader("X-Logkeep-Partial", "true");
  };
  let status = "error";
  try {
    await sendBody(response, encodedFor(request, response, format, body), {
      begin: tell,
      isTold: () => {
        const { cursor } = run.summary();
        if (isTrailed && cursor !== undefined) response.addTrailers({ "X-Logkeep-Cursor": cursor });
        const hasSummary = params.summary === "1";
        return hasSummary || response.hasHeader("X-Logkeep-Partial") || !run.isPartial;
      },
      // As long as the client reads, it has all the time it needs.
      untilMs: () => performance.now() + deps.settings.query.timeoutMs,
    });
    ({ status } = run.summary());
  } catch (thrown) {
    if (!response.headersSent) {
      if (!deps.stopping.aborted) throw thrown;
      throw new ServiceError("service.stopping", "the service is stopping");
    }
    if (serviceErrorOf(thrown).code === "internal")
      deps.logger.error({ err: thrown }, "an export failed");
    response.destroy();
  } finally {
    deps.metrics.queries.inc({ status: asked.signal.aborted ? "cancelled" : status });
    deps.metrics.scannedBytes.inc(run.summary().scanned.bytes);
  }
}

function checkFlags({ cursors, columns, summary }: Params, format: Format): void {
  if (format === "ndjson" || ![cursors, columns, summary].includes("1")) return;
  throw new ServiceError("request.malformed", "cursors, columns and summary are lines of ndjson", {
    parameter: "format",
  });
}

function exportRequest(
  deps: ExportRoutesDeps,
  params: Params,
  identity: Identity,
  response: Response,
): ExportRequest & { readonly signal: AbortSignal } {
  const isOurs = deps.settings.query.index === "embedded";
  const { order = isOurs ? "oldest" : "newest", limit, cursor } = params;
  if (order === "oldest") checkOrder(deps);
  const question = questionOf(deps, params, identity, response);
  const signal = AbortSignal.any([question.signal, deps.stopping]);
  const enter = (): Promise<() => void> =>
    new Promise((resolve, reject) => {
      const hold = (): Promise<void> => new Promise((leave) => resolve(leave));
      deps.gate.run(signal, hold, identity.tenant).catch(reject);
    });
  return { ...question, signal, limit, cursor, oldestFirst: order === "oldest", enter };
}

function bodyOf(
  run: ExportRun,
  format: Format,
  params: Params,
  columns: readonly string[] | undefined,
): AsyncIterable<Uint8Array> {
  const rows = run.rows();
  if (format === "csv") return csvBody(rows, columns ?? []);
  if (format === "parquet") {
    return parquetBody(rows, { columns: columns ?? [], cursor: () => run.summary().cursor });
  }
  return exportLines(rows, {
    columns,
    hasCursors: params.cursors === "1",
    summary: params.summary === "1" ? () => summaryOf(run) : undefined,
  });
}

function summaryOf(run: ExportRun): ExportSummary {
  const { status, missing, rows, cursor, scanned, took_ms } = run.summary();
  return {
    status: status === "partial" ? "partial" : "complete",
    ...(missing.length === 0 ? {} : { missing: [...missing] }),
    rows,
    ...(cursor === undefined ? {} : { cursor }),
    scanned: scanned.bytes,
    took_ms,
  };
}

/** The body in the encoding that the client likes best of those that we have. */
function encodedFor(
  request: Request,
  response: Response,
  format: Format,
  body: AsyncIterable<Uint8Array>,
): AsyncIterable<Uint8Array> {
  if (format === "parquet") return body;
  response.setHeader("Vary", "Accept-Encoding");
  const encoding = request.acceptsEncodings(["zstd", "gzip", "identity"]);
  if (encoding !== "zstd" && encoding !== "gzip") return body;
  response.setHeader("Content-Encoding", encoding);
  return compressed(body, encoding);
}

async function* compressed(
  body: AsyncIterable<Uint8Array>,
  encoding: "zstd" | "gzip",
): AsyncGenerator<Uint8Array> {
  const encoder = encoding === "zstd" ? createZstdCompress() : createGzip({ level: 4 });
  const feeding = pipeline(Readable.from(body, { objectMode: false }), encoder);
  // What it fails by is what reading the encoder fails by.
  feeding.catch(() => undefined);
  yield* encoder as AsyncIterable<Uint8Array>;
  await feeding;
}
