import { z } from "zod";

/** The bodies of `/api/v1/audit`. */

export const auditParams = z.object({
  after: z.coerce
    .number()
    .int()
    .min(0)
    .optional()
    .describe("Only entries with a higher number, the lowest first."),
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(10_000)
    .optional()
    .describe("Entries at most; 1,000 without."),
});

export const auditLinkSchema = z.strictObject({
  number: z.int().min(1),
  czxid: z.string().describe("Of the change at the coordinator, in hex: the order of all changes."),
  hash: z
    .string()
    .describe("SHA-256 of the hash before, czxid and entry, each ended by a newline."),
  entry: z.string().describe("As it was journalled with the change: JSON."),
});
export type AuditLink = z.infer<typeof auditLinkSchema>;

export const auditAnswerSchema = z
  .strictObject({
    head: z.strictObject({
      count: z.int().min(0).describe("Entries that were ever folded."),
      hash: z.string().describe("Of the last of them, as the coordinator keeps it."),
    }),
    waiting: z.int().min(0).describe("Entries at the coordinator that are not folded yet."),
    entries: z
      .array(auditLinkSchema)
      .describe("The latest first, or with `after` the lowest number first."),
  })
  .meta({ id: "AuditAnswer" });
export type AuditAnswer = z.infer<typeof auditAnswerSchema>;
