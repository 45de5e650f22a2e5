import fc from "fast-check";
import { type RuleForm, ruleFormSchema } from "../../api/src/alerts.ts";

/** Texts that a language of quotes and signs could take for something else, among others. */
const text = fc.oneof(
  fc.string({ unit: "binary", minLength: 1 }),
  fc.string({ minLength: 1 }),
  fc.constantFrom("yes", "null", "~", "1e3", "0x1f", "12:30", "- a", "a: b", "a #b", " a", "a "),
  fc.constantFrom(
    "2026-01-01",
    "*a",
    "&a",
    "!a",
    "%a",
    "@a",
    "'",
    '"',
    "a\nb",
    "{a}",
    "[a]",
    "1_000",
  ),
);

const timed = fc.constantFrom("0s", "15s", "1.5h", "500ms", "2 m", "7d");

/** Rules as the service lists them, with any text that may stand in them. */
export const ruleForms: fc.Arbitrary<RuleForm> = fc
  .record({
    name: text,
    query: text,
    isThreshold: fc.boolean(),
    condition: fc.constantFrom("> 5", "== 0", "<= -1.5e-3"),
    every: timed,
    for: timed,
    keepFor: timed,
    labels: fc.dictionary(text, text, { maxKeys: 3 }),
    notify: fc.array(
      fc
        .record({ url: fc.webUrl(), secret: text }, { requiredKeys: ["url"] })
        .map((webhook) => ({ webhook })),
      { maxLength: 3 },
    ),
  })
  .map(({ isThreshold, condition, every, ...rule }) =>
    ruleFormSchema.parse({
      ...rule,
      labels: { ...rule.labels },
      type: isThreshold ? "threshold" : "match",
      ...(isThreshold ? { condition, every } : { for: "0s" }),
    }),
  );
