import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { parse } from "yaml";
import { ruleFormSchema } from "../../api/src/alerts.ts";
import { ruleYaml } from "../src/rule-text.ts";
import { ruleForms } from "./rule-draw.ts";

for (const version of ["1.1", "1.2"] as const) {
  test(`a rule's text, read as YAML ${version}, is the rule`, () => {
    fc.assert(
      fc.property(ruleForms, (rule) => {
        assert.deepEqual(parse(ruleYaml(rule), { version }), rule);
      }),
      { seed: 1, numRuns: 300 },
    );
  });
}

test("plain texts stand without quotes, others in them", () => {
  const rule = ruleFormSchema.parse({
    name: "payment errors",
    type: "threshold",
    query: "service:payments level:error _time:5m | stats count() n",
    condition: "> 5",
    every: "15s",
    for: "0s",
    keepFor: "1m",
    labels: { team: "payments", page: "yes", "a: b": "#1" },
    notify: [{ webhook: { url: "https://hooks.example.com/a?b=c", secret: "********" } }],
  });
  assert.equal(
    ruleYaml(rule),
    `name: payment errors
type: threshold
query: "service:payments level:error _time:5m | stats count() n"
condition: "> 5"
every: 15s
for: 0s
keepFor: 1m
labels:
  team: payments
  page: "yes"
  "a: b": "#1"
notify:
  - webhook:
      url: "https://hooks.example.com/a?b=c"
      secret: "********"
`,
  );
});
