import { z } from "zod";

const count = z.int().min(0);
const time = z.string().describe("RFC 3339 in UTC, with up to nanoseconds.");
const days = z.number().gt(0);

export const retentionParams = z.object({
  all: z.enum(["0", "1"]).optional().describe("1: of all tenants; needs the scope admin."),
});

const classSchema = z.strictObject({
  tenant: z.string(),
  class: z.string().describe("default, 30d as of a rule, or one of Logkeep's own streams."),
  rules: z.array(z.string()).describe("Filters of the rules that put records into this class now."),
  days: days.describe("How long its records are kept."),
  records: count,
  bytes: count.describe("Of segments on disk."),
  oldest: time,
  nextDrop: z
    .strictObject({
      at: time.describe("At the next look after this, once a minute."),
      reason: z.enum(["age", "bytes"]).describe("Their time is up, or there is no room for them."),
      records: count,
      bytes: count,
    })
    .optional()
    .describe("Absent while everything is in memory."),
});

export const diskSchema = z.strictObject({
  ownBytes: count.describe("Segments, commit log and trash."),
  maxBytes: count.optional().describe("What they may take, where storage.diskMaxBytes is set."),
  usedBytes: count,
  totalBytes: count,
  isFull: z.boolean().describe("Shippers get 503 until there is room."),
});

export const retentionAnswerSchema = z
  .strictObject({
    days: days.describe("Of records that no rule matches."),
    rules: z
      .array(z.strictObject({ tenant: z.string().optional(), filter: z.string(), days }))
      .describe("In the order in which they are asked; the first that matches decides."),
    classes: z.array(classSchema),
    segmentBytes: count.describe("Of all tenants and nodes."),
    segmentMaxBytes: count.describe(
      "Of all nodes: beyond its own share each lets its oldest segments go.",
    ),
    disk: diskSchema.describe("Of the node that was asked."),
    missing: z
      .array(count)
      .describe("Shards that no node answered for: the figures are without them."),
  })
  .meta({ id: "RetentionAnswer" });

export type RetentionAnswer = z.output<typeof retentionAnswerSchema>;
