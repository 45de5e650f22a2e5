import type { Rule } from "./rule.ts";

/**
 * Checks what a rule's schema cannot: its query. Throws `alerts.invalid-rule` with `rule`, `field` and, for a mistake
 * in the query's text, `line`, `column`, `near`, `expected`, `suggestion` as `query.syntax` has them.
 */
export function checkRule(_rule: Rule): void {
  throw new Error("not built yet");
}
