import { z } from "zod";
import { parseDurationMs } from "../../config/src/quantity.ts";
import {
  conditionLengthMax,
  labelsMax,
  labelTextMax,
  notifyMax,
  queryLengthMax,
  ruleNameMax,
  secretLengthMax,
  tickMsMax,
  tickMsMin,
  waitMsMax,
} from "./limits.ts";

/** `> 5`, `<= 0.5`, `== 0`: what a threshold's value is held against. */
export const conditionPattern: RegExp = /^(>=|<=|==|!=|>|<)\s*(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/;

const label = z.string().min(1).max(labelTextMax);

const webhook = z.strictObject({
  url: z.url({ protocol: /^https?$/, error: "must be an http or https URL" }).max(2048),
  /** Signs bodies; never shown again. */
  secret: z.string().min(1).max(secretLengthMax).optional(),
});

/** Where a rule's notifications go; one kind of receiver each. */
const receiver = z.strictObject({ webhook });

/**
 * A rule as users write it, in JSON or YAML. Durations are texts as `15s`, or milliseconds; what is left out gets
 * its default, so that a stored rule is whole.
 */
export const ruleSchema = z
  .strictObject({
    name: z
      .string()
      .min(1)
      .max(ruleNameMax)
      .regex(/^[^\p{Cc}/]+$/u, "must hold no slash and no control character")
      // Paths give them another meaning, so neither a request nor a znode could name such a rule.
      .refine((name) => name !== "." && name !== "..", "must not be . or .."),
    type: z.enum(["match", "threshold"]),
    query: z.string().min(1).max(queryLengthMax),
    condition: z
      .string()
      .max(conditionLengthMax)
      .regex(conditionPattern, 'must compare with a number, as "> 5"')
      .optional(),
    every: duration(tickMsMin, tickMsMax).optional(),
    for: duration(0, waitMsMax).default("0s"),
    keepFor: duration(0, waitMsMax).optional(),
    labels: z
      .record(label, label)
      .refine((labels) => Object.keys(labels).length <= labelsMax, `are at most ${labelsMax}`)
      .default({}),
    notify: z.array(receiver).max(notifyMax).default([]),
  })
  .superRefine((rule, context) => {
    const isThreshold = rule.type === "threshold";
    const refuse = (field: string, message: string): void => {
      context.addIssue({ code: "custom", path: [field], message });
    };
    if (isThreshold && rule.condition === undefined) {
      refuse("condition", 'is needed by a threshold, as "> 5"');
    }
    if (isThreshold) return;
    // A match is made by records, one by one, as they come.
    if (rule.condition !== undefined) refuse("condition", "is only for a threshold");
    if (rule.every !== undefined) refuse("every", "is only for a threshold");
    if (parseDurationMs(String(rule.for)) !== 0) refuse("for", "is only for a threshold");
  })
  .transform((rule) => ({
    ...rule,
    ...(rule.type === "threshold" ? { every: rule.every ?? "15s" } : {}),
    keepFor: rule.keepFor ?? (rule.type === "match" ? "1m" : "0s"),
  }));

/** A rule with its defaults filled in. `condition` and `every` only with `threshold`. */
export type Rule = z.output<typeof ruleSchema>;
export type RuleType = Rule["type"];
export type Receiver = Rule["notify"][number];

/** Accepts `15s` or milliseconds, keeps the text; bounds are inclusive. */
function duration(min: number, max: number) {
  return z
    .union([z.string(), z.number()])
    .transform((value) => (typeof value === "number" ? `${value}ms` : value))
    .refine(
      (text) => {
        const ms = parseDurationMs(text);
        return ms !== undefined && ms >= min && ms <= max;
      },
      { error: `must be a time as 15s, from ${min} ms to ${max} ms` },
    );
}
