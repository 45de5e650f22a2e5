import { z } from "zod";
import { recordSchema } from "./answers.ts";

/** The bodies of `/api/v1/alerting`. Times are RFC 3339 in UTC. */

const time = z.string();
const labels = z.record(z.string(), z.string());

/** What stands for a webhook's secret in answers; sent back, it keeps the one that is stored. */
export const secretMask = "********";

/** A rule in the form in which users write it, defaults filled in; durations as texts. */
export const ruleFormSchema = z
  .strictObject({
    name: z.string(),
    type: z.enum(["match", "threshold"]),
    query: z.string(),
    condition: z.string().optional().describe('Only of a threshold, as "> 5".'),
    every: z.string().optional().describe("Only of a threshold, as 15s."),
    for: z.string(),
    keepFor: z.string(),
    labels,
    notify: z.array(
      z.strictObject({
        webhook: z.strictObject({ url: z.string(), secret: z.string().optional() }),
      }),
    ),
  })
  .meta({ id: "Rule" });
export type RuleForm = z.infer<typeof ruleFormSchema>;

/** A rule as it is sent: what is left out gets its default. */
export const ruleRequestSchema = ruleFormSchema
  .partial({ for: true, keepFor: true, labels: true, notify: true })
  .meta({ id: "RuleRequest" });

/** A rule as it is listed. */
export const ruleListedSchema = z
  .strictObject({
    id: z.string(),
    version: z.int().describe("Raised with each change; for If-Match."),
    createdAt: time,
    updatedAt: time,
    state: z.enum(["inactive", "pending", "firing"]).describe("Of its most severe alert."),
    evaluatedAt: time.optional(),
    error: z.string().optional().describe("Why the last evaluation failed."),
    rule: ruleFormSchema,
  })
  .meta({ id: "RuleListed" });
export type RuleListed = z.infer<typeof ruleListedSchema>;

export const rulesAnswerSchema = z
  .strictObject({ rules: z.array(ruleListedSchema) })
  .meta({ id: "RulesAnswer" });
export type RulesAnswer = z.infer<typeof rulesAnswerSchema>;

/** Of a POST of one rule or several: what became of each. */
export const rulesAppliedSchema = z
  .strictObject({
    rules: z.array(
      z.strictObject({
        name: z.string(),
        version: z.int(),
        outcome: z.enum(["created", "changed", "unchanged"]),
      }),
    ),
  })
  .meta({ id: "RulesApplied" });
export type RulesApplied = z.infer<typeof rulesAppliedSchema>;

/** An alert that is pending or fires: of a rule, or of one group of its threshold. */
export const alertSchema = z
  .strictObject({
    rule: z.string(),
    status: z.enum(["pending", "firing"]),
    labels,
    count: z.number().describe("Match: records so far; threshold: the value."),
    activeAt: time.describe("When the condition began to hold."),
    startsAt: time.optional().describe("When it began to fire."),
    link: z.string().describe("Into the console, at the records."),
  })
  .meta({ id: "Alert" });
export type Alert = z.infer<typeof alertSchema>;

export const alertsAnswerSchema = z
  .strictObject({ alerts: z.array(alertSchema) })
  .meta({ id: "AlertsAnswer" });
export type AlertsAnswer = z.infer<typeof alertsAnswerSchema>;

/** A notification and what became of it, newest first. */
export const alertEventSchema = z
  .strictObject({
    time,
    rule: z.string(),
    status: z.enum(["firing", "resolved"]),
    labels,
    count: z.number(),
    startsAt: time,
    endsAt: time.nullable(),
    dedupeKey: z.string(),
    link: z.string(),
    lines: z.array(recordSchema),
    deliveries: z.array(
      z.strictObject({
        url: z.string(),
        outcome: z.enum(["waiting", "delivered", "refused", "expired"]),
        attempts: z.int(),
        reason: z.string().optional(),
      }),
    ),
  })
  .meta({ id: "AlertEvent" });
export type AlertEvent = z.infer<typeof alertEventSchema>;

export const alertHistorySchema = z
  .strictObject({ events: z.array(alertEventSchema) })
  .meta({ id: "AlertHistory" });
export type AlertHistory = z.infer<typeof alertHistorySchema>;

/** Of a test notification: what each receiver said. */
export const alertTestSchema = z
  .strictObject({
    deliveries: z.array(
      z.strictObject({ url: z.string(), delivered: z.boolean(), reason: z.string().optional() }),
    ),
  })
  .meta({ id: "AlertTest" });
export type AlertTest = z.infer<typeof alertTestSchema>;
