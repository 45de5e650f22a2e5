import type { Request, Response } from "express";
import express from "express";
import type {
  CompletionAnswer,
  ContextAnswer,
  ExplainAnswer,
  FieldsAnswer,
  HistogramAnswer,
  StreamsAnswer,
  Summary,
  ValuesAnswer,
} from "../../../api/src/answers.ts";
import {
  completeParams,
  contextParams,
  explainParams,
  histogramParams,
  type QueryParams,
  queryParams,
  rangeParams,
} from "../../../api/src/params.ts";
import { ServiceError, serviceErrorOf } from "../../../kit/src/errors.ts";
import { momentPrint } from "../../../kit/src/time.ts";
import { askCompletion } from "../../../query/src/engine/completion.ts";
import { askContext } from "../../../query/src/engine/context.ts";
import { csvBody, jsonBody, ndjsonBody } from "../../../query/src/engine/encode.ts";
import {
  askFields,
  askFieldValues,
  askHistogram,
  askStreams,
} from "../../../query/src/engine/questions.ts";
import { type QueryAnswer, type QueryRequest, runQuery } from "../../../query/src/engine/run.ts";
import { explainQuery } from "../../../query/src/explain/explain.ts";
import { explainText } from "../../../query/src/explain/text.ts";
import type { TimeRange } from "../../../query/src/source.ts";
import type { App, Handler } from "./app.ts";
import {
  checkOrder,
  endedAs,
  formMaxBytes,
  goneSignal,
  type QueryRoutesDeps,
  questionOf,
  sendBody,
  summaryOf,
  tellPartial,
} from "./ask.ts";
import type { Identity } from "./identity.ts";
import { parseMoment, parseStep } from "./moments.ts";
import { parseParams } from "./query-options.ts";

const rowsDefault = 1000;
const valuesDefault = 100;
const bucketsDefault = 100;
const neighboursDefault = 10;
const itemsDefault = 100;

/** The questions: query, histogram, fields and their values, streams, context. */
export function mountQueries(app: App, deps: QueryRoutesDeps): void {
  const paths = [
    "query",
    "query/complete",
    "query/explain",
    "histogram",
    "fields",
    "fields/:name/values",
    "streams",
    "context",
  ];
  const form = express.text({ type: "application/x-www-form-urlencoded", limit: formMaxBytes });
  for (const path of paths) app.express.post(`/api/v1/${path}`, form);
  const both = (path: string, handler: Handler): void => {
    const gated: Handler = (request, response, identity) =>
      deps.gate.run(
        goneSignal(response),
        async () => handler(request, response, identity),
        identity.tenant,
      );
    for (const method of ["get", "post"] as const)
      app.mount(method, `/api/v1/${path}`, "read", gated);
  };
  both("query", (request, response, identity) => serveQuery(deps, request, response, identity));
  both("query/explain", (...args) => serveExplain(deps, ...args));
  both("query/complete", async (request, response, identity) => {
    const {
      query: text,
      cursor,
      limit = itemsDefault,
      ...params
    } = parseParams(completeParams, request);
    const { query: _, ...question } = questionOf(deps, params, identity, response);
    const completion = { text, cursor: cursor ?? text.length, limit };
    const { from, to, items } = await askCompletion(question, completion);
    response.json({ from, to, items: [...items] } satisfies CompletionAnswer);
  });
  both("histogram", (...args) => serveHistogram(deps, ...args));
  both("fields", async (request, response, identity) => {
    const params = parseParams(rangeParams, request);
    const answer = await askFields(questionOf(deps, params, identity, response));
    const fields = answer.values.slice(0, params.limit || undefined);
    tellPartial(response, answer.summary);
    response.json({ fields: fields.map(countOf) } satisfies FieldsAnswer);
  });
  both("fields/:name/values", async (request, response, identity) => {
    const { limit = valuesDefault, ...params } = parseParams(rangeParams, request);
    const field = String(request.params["name"]);
    const answer = await askFieldValues(questionOf(deps, params, identity, response), {
      field,
      limit: limit === 0 ? undefined : limit,
    });
    tellPartial(response, answer.summary);
    const values = answer.values.map(({ name, hits }) => ({ value: name, count: hits }));
    response.json({ values } satisfies ValuesAnswer);
  });
  both("streams", async (request, response, identity) => {
    const { limit = valuesDefault, ...params } = parseParams(rangeParams, request);
    const answer = await askStreams(questionOf(deps, params, identity, response), {
      limit: limit === 0 ? undefined : limit,
    });
    tellPartial(response, answer.summary);
    const streams = answer.values.map(({ name, hits }) => ({ stream: name, count: hits }));
    response.json({ streams } satisfies StreamsAnswer);
  });
  both("context", (...args) => serveContext(deps, ...args));
}

async function serveExplain(
  deps: QueryRoutesDeps,
  request: Request,
  response: Response,
  identity: Identity,
): Promise<void> {
  const { analyze, ...params } = parseParams(explainParams, request);
  const question = questionWith(deps, params, identity, response);
  const explained = await explainQuery(question, analyze === "1");
  if (request.accepts(["application/json", "text/plain"]) === "text/plain") {
    response.type("text/plain").send(explainText(explained));
  } else response.json(explained satisfies ExplainAnswer);
}

/** A question for rows: how many, which first, and after what. */
function questionWith(
  deps: QueryRoutesDeps,
  params: Omit<QueryParams, "summary">,
  identity: Identity,
  response: Response,
) {
  const { limit = rowsDefault, cursor, order } = params;
  const oldestFirst = order === "oldest";
  if (oldestFirst) checkOrder(deps);
  const question = questionOf(deps, params, identity, response);
  return {
    ...question,
    limit: limit === 0 ? undefined : limit,
    cursor,
    oldestFirst,
  } satisfies QueryRequest;
}

async function serveQuery(
  deps: QueryRoutesDeps,
  request: Request,
  response: Response,
  identity: Identity,
): Promise<void> {
  const { metrics } = deps;
  const params = parseParams(queryParams, request);
  const started = performance.now();
  const question = questionWith(deps, params, identity, response);
  const answer = await runQuery(question);
  const media = String(request.accepts(["application/x-ndjson", "application/json", "text/csv"]));
  const hasSummary = params.summary === "1" || media === "application/json";
  const isPartial = (): boolean => answer.summary().status === "partial";
  try {
    await sendBody(response, bodyOf(answer, media, params.summary === "1", response), {
      begin: () => tellPartial(response, answer.summary()),
      // Damage may be met behind the first rows, when the header has gone.
      isTold: () => hasSummary || response.hasHeader("X-Logkeep-Partial") || !isPartial(),
      untilMs: () => started + (question.timeoutMs ?? deps.settings.query.timeoutMs),
    });
  } catch (thrown) {
    if (!response.headersSent) throw thrown;
    // Headers are gone, so a transfer that breaks off is what tells the client.
    if (serviceErrorOf(thrown).code === "internal")
      deps.logger.error({ err: thrown }, "a query failed");
    response.destroy();
  } finally {
    const summary = answer.summary();
    metrics.queries.inc({ status: endedAs(summary, question.signal) });
    metrics.scannedBytes.inc(summary.scanned.bytes);
  }
}

function bodyOf(
  answer: QueryAnswer,
  media: string,
  withSummary: boolean,
  response: Response,
): AsyncIterable<Uint8Array> {
  const summary = (): Summary => summaryOf(answer.summary());
  const type = media === "false" ? "application/x-ndjson" : media;
  response.setHeader("Content-Type", type === "text/csv" ? "text/csv; charset=utf-8" : type);
  if (type === "application/json") return jsonBody(answer.rows, summary);
  if (type === "text/csv") return csvBody(answer.rows, undefined);
  return ndjsonBody(answer.rows, withSummary ? () => ({ _summary: summary() }) : undefined);
}

function countOf({ name, hits }: { readonly name: string; readonly hits: number }) {
  return { name, count: hits };
}

async function serveHistogram(
  deps: QueryRoutesDeps,
  request: Request,
  response: Response,
  identity: Identity,
): Promise<void> {
  const params = parseParams(histogramParams, request);
  const question = questionOf(deps, params, identity, response);
  const { by } = params;
  const stepMs =
    parseStep(params.step, "step") ?? niceStep(question.range, params.buckets ?? bucketsDefault);
  const histogram = await askHistogram(question, { stepMs, by });
  tellPartial(response, histogram.summary);
  const total = histogram.counts.reduce((sum, count) => sum + count, 0);
  const { series = [{ value: undefined, total, counts: histogram.counts }] } = histogram;
  const answer: HistogramAnswer = {
    start: momentPrint({ ms: histogram.startMs, ns: 0 }),
    end: momentPrint({ ms: histogram.startMs + stepMs * histogram.counts.length, ns: 0 }),
    stepMs,
    ...(by === undefined ? {} : { by }),
    series: series.map(({ value, ...counts }) => ({
      ...(value === undefined ? {} : { value }),
      total: counts.total,
      counts: [...counts.counts],
    })),
  };
  response.json(answer);
}

const niceSteps = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 1.5e4, 3e4, 6e4, 12e4, 3e5, 6e5, 9e5,
  1.8e6, 3.6e6, 7.2e6, 1.08e7, 2.16e7, 4.32e7, 8.64e7,
];

/** The smallest step that people count in which makes no more buckets than wanted. */
function niceStep({ from, to }: TimeRange, buckets: number): number {
  const least = (to.ms - from.ms) / buckets;
  const dayMs = 8.64e7;
  return niceSteps.find((step) => step >= least) ?? Math.ceil(least / dayMs) * dayMs;
}

async function serveContext(
  deps: QueryRoutesDeps,
  request: Request,
  response: Response,
  identity: Identity,
): Promise<void> {
  const params = parseParams(contextParams, request);
  const { query: _, ...question } = questionOf(
    deps,
    { start: "0", end: "now+1d" },
    identity,
    response,
  );
  const { before = neighboursDefault, after = neighboursDefault, stream, msg } = params;
  const time = parseMoment(params.time, Date.now(), "time");
  const found = await askContext(question, { time, stream, before, after });
  const at = msg === undefined ? 0 : found.at.findIndex((record) => record["_msg"] === msg);
  const record = found.at[at];
  if (record === undefined) {
    throw new ServiceError("request.not-found", "there is no such record", {
      stream,
      time: params.time,
    });
  }
  const answer: ContextAnswer = {
    before: lastOf([...found.before, ...found.at.slice(0, at)], before),
    record,
    after: [...found.at.slice(at + 1), ...found.after].slice(0, after),
  };
  response.json(answer);
}

function lastOf<Item>(items: readonly Item[], count: number): Item[] {
  return items.slice(Math.max(0, items.length - count));
}
