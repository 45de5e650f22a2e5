import { z } from "zod";
import { keyNameSchema, tenantSchema } from "./key.ts";
import {
  alertHistoryMax,
  bucketsMax,
  contextRecordsMax,
  cursorLengthMax,
  keyNameLengthMax,
  queryLengthMax,
} from "./limits.ts";
import { scopes } from "./scopes.ts";

/** Parameters as they come: texts of a query string or of a form. Moments are read by the query room. */

const moment = z.string().max(64);
const timeText =
  "RFC 3339, an epoch number (s, ms, µs or ns by its size), or relative as 1h, now-15m.";

const query = z.string().max(queryLengthMax).describe("What to look for; * is everything.");
const start = moment.optional().describe(`From here on (1 h ago): ${timeText}`);
const end = moment.optional().describe(`Up to here, not included (now): ${timeText}`);
const timeout = z
  .string()
  .max(32)
  .optional()
  .describe("A shorter deadline than the service's own, as 5s.");
const partial = z
  .enum(["allow", "deny"])
  .optional()
  .describe("Whether an answer may lack shards that cannot be asked (allow), or is then refused.");
const cursor = z
  .string()
  .max(cursorLengthMax)
  .optional()
  .describe("Goes on after the end of an earlier answer to the same query.");
const order = z
  .enum(["newest", "oldest"])
  .optional()
  .describe("Which records come first, of a query that does not sort (newest).");

export const queryParams = z.object({
  query,
  start,
  end,
  limit: whole(0, Number.MAX_SAFE_INTEGER)
    .optional()
    .describe("Rows at most (1,000); 0: no limit."),
  timeout,
  partial,
  cursor,
  order,
  summary: z.enum(["0", "1"]).optional().describe('1: the last line is {"_summary":{…}}.'),
});

export const exportFormats = ["ndjson", "csv", "parquet"] as const;

export const exportParams = z.object({
  query,
  start,
  end,
  format: z.enum(exportFormats).optional().describe("ndjson, csv or parquet (ndjson)."),
  order: z.enum(["newest", "oldest"]).optional().describe("Which records come first (oldest)."),
  limit: whole(1, Number.MAX_SAFE_INTEGER).optional().describe("Records at most (all)."),
  partial,
  cursor,
  cursors: flag('ndjson; 1: lines {"_cursor":"…"} between the rows say where to go on after them.'),
  columns: flag('ndjson; 1: the first line is {"_columns":[…]}, the fields that a CSV would have.'),
  summary: flag('ndjson; 1: the last line is {"_summary":{…}}.'),
});

export const explainParams = queryParams.omit({ summary: true }).extend({
  analyze: flag("1: the query is run, its rows thrown away, and what that took is told."),
});

export const completeParams = z.object({
  query: z.string().max(queryLengthMax).describe("The query as far as it is written."),
  cursor: whole(0, queryLengthMax)
    .optional()
    .describe("The place, an offset in UTF-16 units (the end)."),
  start,
  end,
  limit: whole(1, 1_000).optional().describe("Items at most (100)."),
  timeout,
});

export const histogramParams = z.object({
  query,
  start,
  end,
  step: z.string().max(32).optional().describe("Width of a bucket, as 5m; or give `buckets`."),
  buckets: whole(1, bucketsMax).optional().describe("How many buckets, about (100)."),
  by: z.string().max(1024).optional().describe("A field; a series for each of its values."),
  timeout,
  partial,
});

export const rangeParams = z.object({
  query: query.optional(),
  start,
  end,
  limit: whole(0, 1_000_000).optional().describe("The most frequent so many; 0: no limit."),
  timeout,
  partial,
});

export const contextParams = z.object({
  stream: z.string().max(queryLengthMax).describe("The record's _stream."),
  time: moment.describe("The record's _time."),
  msg: z.string().optional().describe("The record's _msg, where several have one time."),
  before: whole(0, contextRecordsMax).optional().describe("Records before it (10)."),
  after: whole(0, contextRecordsMax).optional().describe("Records after it (10)."),
});

export const tailParams = z.object({ query: query.optional() });

export const logsParams = z.looseObject({
  stream: z.string().max(1024).optional().describe("Fields that form the stream, as service,host."),
  time: z.string().max(1024).optional().describe("The field that holds the time (_time)."),
  msg: z.string().max(1024).optional().describe("The field that holds the message (_msg)."),
});

export const keyCreateBody = z
  .strictObject({
    name: keyNameSchema,
    scopes: z.array(z.enum(scopes)).min(1),
    tenant: tenantSchema.default("default"),
    expiresAt: z.iso.datetime({ offset: true }).optional(),
  })
  .meta({ id: "KeyRequest" });

export const alertHistoryParams = z.object({
  rule: z.string().max(1024).optional().describe("Only of the rule of this name."),
  limit: whole(1, alertHistoryMax).optional().describe("The newest so many (100)."),
});

export const rulePath = z.object({ name: z.string().max(1024) });
export const keyPath = z.object({ id: z.string().max(keyNameLengthMax) });
export const sectionPath = z.object({ section: z.string().max(64) });
export const fieldPath = z.object({ name: z.string().max(1024) });

export type QueryParams = z.output<typeof queryParams>;
export type HistogramParams = z.output<typeof histogramParams>;
export type RangeParams = z.output<typeof rangeParams>;
export type ContextParams = z.output<typeof contextParams>;
export type TailParams = z.output<typeof tailParams>;
export type KeyCreateBody = z.output<typeof keyCreateBody>;

function flag(description: string) {
  return z.enum(["0", "1"]).optional().describe(description);
}

/** A whole number written as a text, as numbers in a query string are. */
function whole(min: number, max: number) {
  return z
    .string()
    .regex(/^\d{1,16}$/, "must be a whole number")
    .transform(Number)
    .pipe(z.int().min(min).max(max));
}
