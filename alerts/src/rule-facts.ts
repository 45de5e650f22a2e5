import { createHash } from "node:crypto";
import { parseDurationMs } from "../../config/src/quantity.ts";
import { assert } from "../../kit/src/assert.ts";
import type { RuleState } from "./entry.ts";
import type { Rule } from "./rule.ts";
import type { Timing } from "./step.ts";

/** A rule's durations in milliseconds; `everyMs` is 0 for a match, which nothing ticks. */
export function timingOf(rule: Rule): Timing & { readonly everyMs: number } {
  return {
    everyMs: rule.every === undefined ? 0 : millis(rule.every),
    forMs: millis(rule.for),
    keepForMs: millis(rule.keepFor),
  };
}

/** Of what an alert means: its instances go on through changes that leave this as it is. */
export function fingerprintOf(rule: Rule): string {
  const { type, query, condition } = rule;
  return digest([type, query, condition ?? "", timingOf(rule).forMs]);
}

/** The rule as the journal may have it. */
export function withoutSecrets(rule: Rule): Rule {
  return { ...rule, notify: rule.notify.map(({ webhook }) => ({ webhook: { url: webhook.url } })) };
}

/** The state of a rule that has none yet. */
export function stateOf(rule: Rule): RuleState {
  return {
    fingerprint: fingerprintOf(rule),
    definition: withoutSecrets(rule),
    instances: [],
    tickMs: undefined,
    progress: undefined,
  };
}

/** The alert that a notification is about: the first part of its dedupe key. */
export function alertIdOf(alert: {
  readonly tenant: string;
  readonly ruleId: string;
  readonly instance: string;
  readonly firingMs: number;
}): string {
  return digest([alert.tenant, alert.ruleId, alert.instance, alert.firingMs]);
}

function digest(facts: readonly (string | number)[]): string {
  // Half of the digest is far beyond chance.
  return createHash("sha256").update(JSON.stringify(facts)).digest("hex").slice(0, 32);
}

function millis(text: string): number {
  const ms = parseDurationMs(text);
  assert(ms !== undefined, "a stored rule's times have been checked");
  return ms;
}
