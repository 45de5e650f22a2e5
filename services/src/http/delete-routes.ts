import type { Request, Response } from "express";
import express from "express";
import {
  type DeleteDryRun,
  type DeleteRequest,
  type DeletesAnswer,
  deleteRequestSchema,
} from "../../../api/src/deletes.ts";
import { systemClock } from "../../../kit/src/clock.ts";
import { ServiceError } from "../../../kit/src/errors.ts";
import { momentCompare } from "../../../kit/src/time.ts";
import { printFilter } from "../../../query/src/language/print-filter.ts";
import type { TimeRange } from "../../../query/src/source.ts";
import { type DeleteService, deleteQuestion, everyTime } from "../deletes/delete-service.ts";
import type { App } from "./app.ts";
import { parseMoment } from "./moments.ts";
import type { QueryGate } from "./query-gate.ts";

/** A filter, and a few times. */
const bodyMaxBytes = 32 * 1024;

export interface DeleteRoutesDeps {
  readonly deletes: DeleteService;
  /** The count beforehand is a query like others. */
  readonly gate: QueryGate;
  /** Whether queries are answered from our own store. */
  readonly isEmbedded: boolean;
}

/** `/api/v1/deletes`: delete by query, and how far it has come. */
export function mountDeletes(app: App, { deletes, gate, isEmbedded }: DeleteRoutesDeps): void {
  app.express.use("/api/v1/deletes", express.json({ limit: bodyMaxBytes }));
  app.mount("post", "/api/v1/deletes", "delete", async (request, response, { key, tenant }) => {
    if (!isEmbedded) {
      const message = "records are answered from Elasticsearch, which a delete does not reach";
      throw new ServiceError("deletes.elsewhere", message);
    }
    const { query, dryRun, ...times } = bodyOf(request);
    const nowMs = systemClock.now();
    const question = deleteQuestion({ tenant, query, range: rangeOf(times, nowMs) }, nowMs);
    const gone = goneSignal(response);
    if (dryRun === true) {
      const rows = await gate.run(gone, () => deletes.count(question, gone), tenant);
      response.json({ query: printFilter(question.filter), rows } satisfies DeleteDryRun);
      return;
    }
    const made = await gate.run(gone, () => deletes.create(question, key ?? "", gone), tenant);
    response.status(202).location(`/api/v1/deletes/${made.id}`).json(made);
  });
  app.mount("get", "/api/v1/deletes", "delete", async (_, response, { tenant }) => {
    response.json({ deletes: await deletes.list(tenant) } satisfies DeletesAnswer);
  });
  app.mount("get", "/api/v1/deletes/:id", "delete", async (request, response, { tenant }) => {
    response.json(await deletes.get(tenant, String(request.params["id"])));
  });
  app.mount("delete", "/api/v1/deletes/:id", "delete", () => {
    throw new ServiceError("request.method", "what was deleted does not come back");
  });
}

function bodyOf(request: Request): DeleteRequest {
  const parsed = deleteRequestSchema.safeParse(request.body);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new ServiceError("request.malformed", issue?.message ?? "the body cannot be read", {
    path: issue?.path.join(".") ?? "",
  });
}

function rangeOf({ start, end }: Pick<DeleteRequest, "start" | "end">, nowMs: number): TimeRange {
  const from = start === undefined ? everyTime.from : parseMoment(start, nowMs, "start");
  const to = end === undefined ? everyTime.to : parseMoment(end, nowMs, "end");
  if (momentCompare(from, to) < 0) return { from, to };
  throw new ServiceError("request.malformed", "start is not before end", { parameter: "start" });
}

function goneSignal(response: Response): AbortSignal {
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  return gone.signal;
}
