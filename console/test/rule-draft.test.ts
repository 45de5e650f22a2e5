import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { parseRules } from "../../alerts/src/parse-rules.ts";
import { ruleFormSchema } from "../../api/src/alerts.ts";
import { problemOf, ServiceError } from "../../kit/src/errors.ts";
import {
  draftFor,
  draftOf,
  fieldProblemOf,
  problemBefore,
  type RuleDraft,
  requestOf,
} from "../src/rule-draft.ts";
import { ruleForms } from "./rule-draw.ts";

const whole: RuleDraft = {
  name: "errors",
  type: "threshold",
  query: "level:error | stats count() n",
  condition: "> 5",
  every: "15s",
  for: "0s",
  keepFor: "1m",
  labels: [
    { name: "", value: "" },
    { name: "team", value: "payments" },
  ],
  webhooks: [
    { url: "", secret: "" },
    { url: "https://hooks.example.com/", secret: "s" },
  ],
};

test("a stored rule that is saved as it is stays as it is", () => {
  const trimmed = ruleForms.filter(
    ({ name, query }) => name === name.trim() && query === query.trim(),
  );
  fc.assert(
    fc.property(trimmed, (rule) => {
      const { for: wait, ...rest } = rule;
      // A match has no wait, so none is sent, and the service fills it in.
      const sent = rule.type === "match" ? rest : { ...rest, for: wait };
      assert.deepEqual(requestOf(draftOf(rule)), sent);
    }),
    { seed: 1, numRuns: 300 },
  );
});

test("what was left empty is not sent", () => {
  assert.deepEqual(requestOf({ ...draftFor("level:error"), name: " errors " }), {
    name: "errors",
    type: "match",
    query: "level:error",
    labels: {},
    notify: [],
  });
  assert.deepEqual(requestOf(whole).notify, [
    { webhook: { url: "https://hooks.example.com/", secret: "s" } },
  ]);
});

test("a match sends nothing that is only a threshold's, though it was typed before", () => {
  const sent = requestOf({ ...whole, type: "match", query: "level:error" });
  const [rule] = parseRules(JSON.stringify(sent));
  assert.equal(rule?.condition, undefined);
  assert.equal(ruleFormSchema.parse(rule).keepFor, "1m");
});

test("a query that counts begins a threshold, another one a match", () => {
  assert.equal(draftFor("error | stats by (host) count() n").type, "threshold");
  assert.equal(draftFor("error").type, "match");
  assert.equal(draftFor("*").query, "");
});

const mistakes: readonly { readonly change: Partial<RuleDraft>; readonly input: string }[] = [
  { change: { name: "a/b" }, input: "name" },
  { change: { query: "" }, input: "query" },
  { change: { query: "level:error | explode" }, input: "query" },
  { change: { query: "level:error | stats by (team) count() n" }, input: "label-name-1" },
  { change: { condition: "" }, input: "condition" },
  { change: { condition: "much" }, input: "condition" },
  { change: { every: "often" }, input: "every" },
  { change: { every: "1ms" }, input: "every" },
  { change: { for: "a while" }, input: "for" },
  { change: { keepFor: "-1s" }, input: "keepFor" },
  { change: { labels: [{ name: "team", value: "" }] }, input: "label-value-0" },
  {
    change: {
      webhooks: [
        { url: "", secret: "" },
        { url: "ftp://a", secret: "" },
      ],
    },
    input: "webhook-url-1",
  },
  { change: { webhooks: [{ url: "", secret: "s" }] }, input: "webhook-url-0" },
  {
    change: { webhooks: [{ url: "https://a.example/", secret: "s".repeat(2000) }] },
    input: "webhook-secret-0",
  },
];

for (const { change, input } of mistakes) {
  test(`what the service says about ${JSON.stringify(change).slice(0, 60)} stands at ${input}`, () => {
    const draft = { ...whole, ...change };
    const problem = refusal(() => parseRules(JSON.stringify(requestOf(draft))));
    const shown = fieldProblemOf(problem, draft, true);
    assert.equal(shown.input, input);
    assert.ok(shown.text.startsWith(String(problem.reason)), shown.text);
  });
}

function refusal(parse: () => unknown) {
  try {
    parse();
  } catch (thrown) {
    assert.ok(thrown instanceof ServiceError);
    // Through JSON, as it comes to the console.
    return JSON.parse(JSON.stringify(problemOf(thrown))) as Parameters<typeof fieldProblemOf>[0];
  }
  throw new Error("the rule was taken");
}

test("what is of no input stands above the form, whole", () => {
  const problem = { code: "storage.full", status: 503, detail: "the disk is full" };
  assert.deepEqual(fieldProblemOf(problem, whole, false), {
    input: undefined,
    text: "the disk is full",
  });
});

test("a rule of this name that came meanwhile is told at the name of a new one", () => {
  const problem = { code: "alerts.version-mismatch", status: 412, detail: "it was changed" };
  assert.equal(fieldProblemOf(problem, whole, true).input, "name");
  assert.equal(fieldProblemOf(problem, whole, false).input, undefined);
});

test("what would be lost or replaced without a word is told before it is sent", () => {
  const inputOf = (change: Partial<RuleDraft>, taken: readonly string[] = []) =>
    problemBefore({ ...whole, ...change }, taken)?.input;
  assert.equal(inputOf({}), undefined);
  assert.equal(inputOf({ name: " errors" }, ["errors"]), "name");
  assert.equal(inputOf({ name: "" }), "name");
  assert.equal(inputOf({ name: ".." }), "name");
  const labels = [
    { name: "a", value: "1" },
    { name: "", value: "" },
    { name: "a", value: "2" },
  ];
  assert.equal(inputOf({ labels }), "label-name-2");
  assert.equal(inputOf({ labels: [{ name: "", value: "1" }] }), "label-name-0");
});
