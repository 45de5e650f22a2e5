import type { Rule } from "./rule.ts";

/**
 * Reads rules from JSON or YAML: one rule, an array of rules, or `{rules: […]}`; each is checked (`checkRule`).
 * `hint` says what the text is, where that is known: JSON is told apart from YAML by how it begins otherwise.
 * Throws `alerts.invalid-rule` with `rule` (its name or its number from 1), `field` and the reason, and
 * `request.too-large` for a text of more than 256 KiB.
 */
export function parseRules(_text: string, _hint?: "json" | "yaml"): Rule[] {
  throw new Error("not built yet");
}
