import { z } from "zod";
import { storedKeySchema } from "./key.ts";

/** The bodies that the REST API answers with. Counts are whole numbers; times RFC 3339 in UTC. */

const count = z.int().min(0);
const time = z.string().describe("RFC 3339 in UTC, with up to nanoseconds.");

/** RFC 9457. Facts of the problem are further members. */
export const problemSchema = z
  .looseObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.string().describe("Stable; what programs should look at."),
    detail: z.string(),
  })
  .meta({ id: "Problem" });

/** A record as queries and tails give it: flat fields, absent ones left out. */
export const recordSchema = z
  .record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()]))
  .describe(
    "_time, _msg, _stream and the record's fields; rows of a pipe that aggregates have its own.",
  )
  .meta({ id: "Record" });

export const ingestAnswerSchema = z
  .strictObject({
    accepted: count,
    rejected: count,
    errors: z
      .array(z.strictObject({ line: count, reason: z.string() }))
      .describe("The first 100 rejected records; lines count from 1."),
  })
  .meta({ id: "IngestAnswer" });

export const summarySchema = z
  .strictObject({
    status: z.enum(["complete", "partial", "error"]),
    code: z.string().optional(),
    missing: z.array(z.string()).optional().describe("Shards that could not be asked."),
    cursor: z.string().optional(),
    scanned: count.optional().describe("Stored bytes that were looked at."),
    took_ms: z.number().min(0).optional(),
  })
  .meta({ id: "Summary" });

export const exportSummarySchema = z
  .strictObject({
    status: z.enum(["complete", "partial"]),
    missing: z.array(z.string()).optional().describe("What could not be asked or read."),
    rows: count,
    cursor: z.string().optional().describe("Where it goes on, when its limit ended it."),
    scanned: count.describe("Stored bytes that were looked at."),
    took_ms: z.number().min(0),
  })
  .meta({ id: "ExportSummary" });

export const queryAnswerSchema = z
  .strictObject({ records: z.array(recordSchema), summary: summarySchema })
  .meta({ id: "QueryAnswer" });

export const histogramAnswerSchema = z
  .strictObject({
    start: time,
    end: time,
    stepMs: z.number().gt(0),
    by: z.string().optional(),
    series: z.array(
      z.strictObject({
        value: z.string().optional().describe("The value of the field `by`; absent without it."),
        total: count,
        counts: z.array(count).describe("One a bucket, the first at `start`."),
      }),
    ),
  })
  .meta({ id: "HistogramAnswer" });

export const fieldsAnswerSchema = z
  .strictObject({ fields: z.array(z.strictObject({ name: z.string(), count })) })
  .meta({ id: "FieldsAnswer" });

export const valuesAnswerSchema = z
  .strictObject({ values: z.array(z.strictObject({ value: z.string(), count })) })
  .meta({ id: "ValuesAnswer" });

export const streamsAnswerSchema = z
  .strictObject({ streams: z.array(z.strictObject({ stream: z.string(), count })) })
  .meta({ id: "StreamsAnswer" });

const partsTally = z.strictObject({ parts: count, rows: count, bytes: count });
const ms = z.number().min(0).describe("Milliseconds; those of workers are added up.");

export const explainAnswerSchema = z
  .strictObject({
    query: z.string().describe("As it was understood, relative times resolved."),
    range: z.strictObject({ start: z.string(), end: z.string() }).describe("What is looked at."),
    cursor: z.enum(["records", "rows"]).describe("What a cursor goes on behind."),
    steps: z.array(
      z.strictObject({
        at: z.enum(["worker", "merge", "main"]),
        step: z.string(),
        text: z.string(),
      }),
    ),
    analyzed: z
      .strictObject({
        status: z.enum(["complete", "partial", "error"]),
        missing: z.array(z.string()),
        tookMs: ms,
        rows: count.describe("Rows answered."),
        tasks: count.describe("Pieces of work that workers did."),
        parts: z.strictObject({
          stored: partsTally,
          prunedByTime: partsTally,
          notNeeded: partsTally,
          read: partsTally,
        }),
        blocks: z.strictObject({
          pruned: z.array(
            z.strictObject({
              by: z.enum(["time", "stream", "header", "tokens", "template"]),
              blocks: count,
              rows: count,
            }),
          ),
          scanned: z.strictObject({ blocks: count, rows: count }),
          matchedRows: count,
        }),
        columns: z.array(z.strictObject({ name: z.string(), blocks: count, decodedBytes: count })),
        decodedBytes: count,
        stages: z.array(z.strictObject({ at: z.enum(["worker", "main"]), stage: z.string(), ms })),
      })
      .optional()
      .describe("With analyze=1."),
  })
  .meta({ id: "ExplainAnswer" });

export const completionAnswerSchema = z
  .strictObject({
    from: count.describe("An item takes the place of the text from here …"),
    to: count.describe("… to here, as offsets in UTF-16 units."),
    items: z.array(
      z.strictObject({
        text: z.string(),
        kind: z.enum(["pipe", "function", "filter", "keyword", "field", "value"]),
        detail: z.string().optional(),
      }),
    ),
  })
  .meta({ id: "CompletionAnswer" });

export const contextAnswerSchema = z
  .strictObject({
    before: z.array(recordSchema).describe("Oldest first."),
    record: recordSchema,
    after: z.array(recordSchema).describe("Oldest first."),
  })
  .meta({ id: "ContextAnswer" });

/** A key as it is listed: without its hash. */
export const keySchema = storedKeySchema
  .omit({ hash: true, createdAt: true, expiresAt: true })
  .extend({ createdAt: time, expiresAt: time.optional() })
  .meta({ id: "Key" });

export const keysAnswerSchema = z.strictObject({ keys: z.array(keySchema) }).meta({ id: "Keys" });

export const keyCreatedSchema = z
  .strictObject({ token: z.string().describe("Shown this once."), key: keySchema })
  .meta({ id: "KeyCreated" });

const nodeStatusSchema = z.strictObject({
  id: z.int(),
  http: z.string().describe("HOST:PORT"),
  roles: z.array(z.string()),
  version: z.string(),
  state: z.enum(["live", "starting", "stopping", "gone"]),
  zone: z.string().optional(),
  isDrained: z.boolean().optional().describe("It is to have nothing."),
  silentMs: count
    .optional()
    .describe("For how long the node that was asked has not heard it; absent while it does."),
  uptimeMs: z.number().min(0),
  rssBytes: count.optional().describe("Absent while the node does not answer."),
  disk: z
    .strictObject({ totalBytes: count, freeBytes: count, isFull: z.boolean() })
    .optional()
    .describe("That of the node's data."),
});

export const clusterAnswerSchema = z
  .strictObject({
    nodes: z.array(nodeStatusSchema),
    coordinator: z.strictObject({
      address: z.string(),
      state: z.string().describe("standalone, leader, follower, observer, connected or none"),
      zxid: z.string().describe("Of the last transaction, in hex."),
      sessions: count.optional(),
      znodes: count.optional(),
      availability: z
        .strictObject({
          state: z.enum(["led", "electing", "recovering"]),
          share: z.number().optional().describe("Of time led in the long run."),
          low: z.number().optional().describe("Of its 95 % bound."),
        })
        .optional()
        .describe("In short; all of it at /api/v1/cluster/availability."),
      unansweredMs: count
        .optional()
        .describe(
          "For how long it has not answered: so old is what is said of nodes and shards. Absent while it does.",
        ),
    }),
    shards: z.strictObject({
      total: count,
      owned: count.describe("Those that some node serves."),
      offline: z.array(z.string()),
      moving: count.optional().describe("Copies are not yet where they are to be."),
      single: count.optional().describe("On one disk alone, though more copies should be."),
    }),
    ingest: z.strictObject({
      records: count.describe("Acknowledged since the node started."),
      rejected: count,
      bytes: count,
      recordsPerSecond: z.number().min(0).describe("Over the last minute."),
      inFlightBytes: count,
    }),
    sources: z
      .array(
        z.strictObject({
          name: z.string(),
          topic: z.string(),
          isReader: z.boolean().describe("Whether this node reads it."),
          records: count.describe("Stored since the node started."),
          rejected: count,
          lost: count.describe("Messages that retention deleted before they were read."),
          lag: count.describe("Messages in the topic that are not stored."),
          fault: z.string().optional().describe("Why nothing is read at the moment."),
          stopped: z.array(z.string()).describe("Partitions that are not read any more, and why."),
        }),
      )
      .optional()
      .describe("What the setting sources names."),
    stored: z.strictObject({
      records: count,
      segments: count,
      segmentBytes: count,
      logBytes: count,
      memoryBytes: count.describe("Of records that are not in a segment yet."),
    }),
    disk: z.strictObject({
      totalBytes: count,
      freeBytes: count,
      isFull: z.boolean().optional().describe("Shippers get 503 until there is room."),
    }),
    retention: z
      .strictObject({
        days: z.number().gt(0).describe("Of records that no rule matches."),
        rules: count,
        segmentMaxBytes: count.describe("Beyond it the oldest segments go."),
        nextDropAt: time.optional(),
        nextDropBytes: count.optional(),
      })
      .optional()
      .describe("In short; all of it at /api/v1/retention."),
  })
  .meta({ id: "ClusterAnswer" });

export type IngestAnswer = z.output<typeof ingestAnswerSchema>;
export type Summary = z.output<typeof summarySchema>;
export type QueryAnswer = z.output<typeof queryAnswerSchema>;
export type ExportSummary = z.output<typeof exportSummarySchema>;
export type HistogramAnswer = z.output<typeof histogramAnswerSchema>;
export type FieldsAnswer = z.output<typeof fieldsAnswerSchema>;
export type ValuesAnswer = z.output<typeof valuesAnswerSchema>;
export type StreamsAnswer = z.output<typeof streamsAnswerSchema>;
export type CompletionAnswer = z.output<typeof completionAnswerSchema>;
export type ExplainAnswer = ReadonlyDeep<z.output<typeof explainAnswerSchema>>;
export type ContextAnswer = z.output<typeof contextAnswerSchema>;
export type Key = z.output<typeof keySchema>;
export type KeysAnswer = z.output<typeof keysAnswerSchema>;
export type KeyCreated = z.output<typeof keyCreatedSchema>;
export type ClusterAnswer = z.output<typeof clusterAnswerSchema>;

/** What is only read, all the way down. */
type ReadonlyDeep<T> = T extends readonly (infer Item)[]
  ? readonly ReadonlyDeep<Item>[]
  : T extends object
    ? { readonly [Name in keyof T]: ReadonlyDeep<T[Name]> }
    : T;
