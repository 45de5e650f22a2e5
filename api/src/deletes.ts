import { z } from "zod";
import { deleteQueryLengthMax } from "./limits.ts";

const count = z.int().min(0);
const time = z.string().describe("RFC 3339 in UTC, with up to nanoseconds.");
const moment = z.string().max(64);

/** Asks to delete by query. */
export const deleteRequestSchema = z
  .strictObject({
    query: z
      .string()
      .min(1)
      .max(deleteQueryLengthMax)
      .describe("A filter, without pipes; * is everything."),
    start: moment.optional().describe("Only records from here on: RFC 3339, epoch, 1h, now-15m."),
    end: moment.optional().describe("Only records before this."),
    dryRun: z.boolean().optional().describe("Only counts what matches, and deletes nothing."),
  })
  .meta({ id: "DeleteRequest" });

export const deleteSchema = z
  .strictObject({
    id: z.string(),
    query: z.string().describe("As it was understood, its times resolved."),
    start: time.optional().describe("Absent: from the first record on."),
    end: time.optional().describe("Absent: whatever time a record has."),
    createdAt: time,
    author: z.string().describe("Name of the key; empty where none was needed."),
    state: z
      .enum(["hidden", "done"])
      .describe(
        "hidden: no query finds the records; done: no file has them any more, but for damaged.",
      ),
    rowsHidden: count.describe("Records that matched when it was asked for."),
    rowsRemoved: count.describe("Records taken out of files, since the node started until done."),
    filesRewritten: count.describe("Likewise."),
    filesLeft: count.describe("Files that may still hold a match, memory counted as one a shard."),
    filesStuck: count.describe("Of these, damaged ones: until repaired or their retention is up."),
    damaged: z
      .array(z.string())
      .optional()
      .describe("Damaged files that may hold a match, which no query finds; some, of many."),
    filesKept: count.describe("Files as they were before, which go when queries are through."),
    doneAt: time.optional(),
  })
  .meta({ id: "Delete" });

export const deletesAnswerSchema = z
  .strictObject({ deletes: z.array(deleteSchema) })
  .meta({ id: "Deletes" });

export const deleteDryRunSchema = z
  .strictObject({ query: z.string(), rows: count.describe("Records that match now.") })
  .meta({ id: "DeleteDryRun" });

export const deletePath = z.object({ id: z.string().max(64) });

export type DeleteRequest = z.output<typeof deleteRequestSchema>;
export type Delete = z.output<typeof deleteSchema>;
export type DeletesAnswer = z.output<typeof deletesAnswerSchema>;
export type DeleteDryRun = z.output<typeof deleteDryRunSchema>;
