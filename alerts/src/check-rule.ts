import { ServiceError } from "../../kit/src/errors.ts";
import { parseQuery } from "../../query/src/language/parse.ts";
import { planTail } from "../../query/src/tail/tail-plan.ts";
import type { Rule } from "./rule.ts";
import { planThreshold } from "./threshold.ts";

/**
 * Checks what a rule's schema cannot: its receivers and its query. Throws `alerts.invalid-rule` with `rule`, `field`, `reason` and, for a
 * mistake in the query's text, `line`, `column`, `near`, `expected`, `suggestion` as `query.syntax` has them.
 */
export function checkRule(rule: Rule): void {
  const urls = new Set<string>();
  for (const [i, { webhook }] of rule.notify.entries()) {
    // A URL tells the receiver, and with it the secret.
    if (urls.has(webhook.url))
      throw invalidRule(rule.name, `notify[${i}].webhook.url`, "is there twice");
    urls.add(webhook.url);
  }
  const groups = groupsOf(rule);
  const taken = groups.find((field) => Object.hasOwn(rule.labels, field));
  if (taken === undefined) return;
  throw invalidRule(rule.name, `labels.${taken}`, "is the name of a group of the query already");
}

/** The error for a field of a rule; further fields tell where. */
export function invalidRule(
  rule: string,
  field: string,
  reason: string,
  {
    fields = {},
    cause,
  }: { readonly fields?: ServiceError["fields"]; readonly cause?: unknown } = {},
): ServiceError {
  const message = `rule ${JSON.stringify(rule)}: ${field}: ${reason}`;
  return new ServiceError(
    "alerts.invalid-rule",
    message,
    { rule, field, reason, ...fields },
    { cause },
  );
}

/** The fields by which the rule's query groups. */
function groupsOf({ name, type, query }: Rule): readonly string[] {
  try {
    if (type === "threshold") return planThreshold(query).groupFields;
    // A match is found as a tail finds it.
    planTail("", parseQuery(query));
    return [];
  } catch (thrown) {
    if (!(thrown instanceof ServiceError)) throw thrown;
    const { code, message, fields } = thrown;
    const isTooMuch = type === "match" && code === "query.invalid";
    const reason = isTooMuch ? `${message}; what counts is for type: threshold` : message;
    throw invalidRule(name, "query", reason, { fields, cause: thrown });
  }
}
