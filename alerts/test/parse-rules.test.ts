import assert from "node:assert/strict";
import test from "node:test";
import { ServiceError } from "../../kit/src/errors.ts";
import { parseRules } from "../src/parse-rules.ts";
import { fingerprintOf } from "../src/rule-facts.ts";

const yaml = `
- name: many errors
  type: threshold
  query: "level:error | stats by (service) count() n"
  condition: "> 5"
  for: 1m
  labels: { severity: page }
  notify:
    - webhook: { url: "http://127.0.0.1:9/x", secret: s }
- name: panics
  type: match
  query: panic
`;

test("rules: a list in YAML is read, defaults filled in", () => {
  const [many, panics] = parseRules(yaml);
  assert.deepEqual(many, {
    name: "many errors",
    type: "threshold",
    query: "level:error | stats by (service) count() n",
    condition: "> 5",
    every: "15s",
    for: "1m",
    keepFor: "0s",
    labels: { severity: "page" },
    notify: [{ webhook: { url: "http://127.0.0.1:9/x", secret: "s" } }],
  });
  assert.deepEqual(panics, {
    name: "panics",
    type: "match",
    query: "panic",
    for: "0s",
    keepFor: "1m",
    labels: {},
    notify: [],
  });
});

test("rules: one rule, a list and a list under its name read alike, as JSON and as YAML", () => {
  const rule = { name: "a", type: "match", query: "x" };
  for (const form of [rule, [rule], { rules: [rule] }]) {
    const text = JSON.stringify(form);
    for (const hint of ["json", "yaml", undefined] as const) {
      assert.equal(parseRules(text, hint)[0]?.name, "a");
      assert.equal(parseRules(text, hint).length, 1);
    }
  }
  assert.deepEqual(parseRules("[]"), []);
});

const threshold = { name: "t", type: "threshold", query: "* | stats count()", condition: "> 1" };
const match = { name: "m", type: "match", query: "x" };

const to = (secret: string) => ({ webhook: { url: "http://127.0.0.1:9/x", secret } });

const faults: readonly {
  readonly form: unknown;
  readonly field: string;
  readonly reason: RegExp;
}[] = [
  { form: { ...match, name: undefined }, field: "name", reason: /missing/ },
  { form: { ...match, name: "a/b" }, field: "name", reason: /slash/ },
  { form: { ...match, type: "cron" }, field: "type", reason: /match, threshold/ },
  { form: { ...match, qery: "x" }, field: "qery", reason: /not known/ },
  { form: { ...match, query: "" }, field: "query", reason: /empty/ },
  { form: { ...match, query: 'a AND "b' }, field: "query", reason: /./ },
  { form: { ...match, query: "a | stats count()" }, field: "query", reason: /each record alone/ },
  { form: { ...match, condition: "> 1" }, field: "condition", reason: /only for a threshold/ },
  { form: { ...match, every: "5s" }, field: "every", reason: /only for a threshold/ },
  { form: { ...match, for: "5s" }, field: "for", reason: /only for a threshold/ },
  { form: { ...match, keepFor: "soon" }, field: "keepFor", reason: /time as 15s/ },
  { form: { ...match, keepFor: [] }, field: "keepFor", reason: /time as 15s/ },
  { form: { ...match, labels: { a: 1 } }, field: "labels.a", reason: /string/ },
  { form: { ...match, notify: {} }, field: "notify", reason: /array/ },
  {
    form: { ...match, notify: [{ webhook: { url: "ftp://x" } }] },
    field: "notify[0].webhook.url",
    reason: /http/,
  },
  {
    form: { ...match, notify: ["one", "two"].map(to) },
    field: "notify[1].webhook.url",
    reason: /twice/,
  },
  { form: { ...threshold, condition: undefined }, field: "condition", reason: /needed/ },
  { form: { ...threshold, condition: "more" }, field: "condition", reason: /compare/ },
  { form: { ...threshold, every: "10ms" }, field: "every", reason: /from 1000 ms/ },
  { form: { ...threshold, query: "x" }, field: "query", reason: /stats pipe/ },
  {
    form: { ...threshold, query: "* | stats by (a) count()", labels: { a: "b" } },
    field: "labels.a",
    reason: /group/,
  },
  { form: 5, field: "rule", reason: /object/ },
];

for (const { form, field, reason } of faults) {
  test(`rules: ${JSON.stringify(form)} is refused for its ${field}`, () => {
    assert.throws(
      () => parseRules(JSON.stringify([match, form]).replace('"name":"m"', '"name":"first"')),
      (error: unknown) => {
        assert.ok(error instanceof ServiceError, String(error));
        assert.equal(error.code, "alerts.invalid-rule");
        assert.equal(error.fields["field"], field);
        assert.match(String(error.fields["reason"]), reason);
        const name = (form as { name?: string }).name ?? "#2";
        assert.equal(error.fields["rule"], name);
        assert.ok(error.message.includes(field) && error.message.includes(name));
        return true;
      },
    );
  });
}

test("rules: a group may have the name of what every object has", () => {
  const query = "* | stats by (constructor, toString) count()";
  assert.equal(parseRules(JSON.stringify({ ...threshold, query })).length, 1);
});

test("rules: a mistake in a query keeps its place", () => {
  assert.throws(
    () => parseRules(JSON.stringify({ ...match, query: "a\n| stast count()" })),
    (error: unknown) => {
      assert.ok(error instanceof ServiceError);
      assert.deepEqual([error.fields["line"], error.fields["column"]], [2, 3]);
      return true;
    },
  );
});

test("rules: a name that is there twice is refused", () => {
  assert.throws(() => parseRules(JSON.stringify([match, match])), /name: is there twice/);
});

for (const [what, text, code] of [
  ["broken YAML", "- name: [", "request.malformed"],
  ["a text", "hello", "request.malformed"],
  ["nothing", "", "request.malformed"],
  ["a key that is there twice", "name: a\ntype: match\nname: b", "request.malformed"],
  ["two documents", "name: a\n---\nname: b", "request.malformed"],
  ["rules that are no list", '{"rules": 1}', "request.malformed"],
  ["deep nesting", `[${"[".repeat(100_000)}`, "request.malformed"],
  ["too long a text", " ".repeat(256 * 1024 + 1), "request.too-large"],
  ["too many rules", JSON.stringify(new Array(1001).fill(match)), "request.too-large"],
] as const) {
  test(`rules: ${what} is refused`, () => {
    assert.throws(
      () => parseRules(text),
      (error: unknown) => error instanceof ServiceError && error.code === code,
    );
  });
}

test("rules: a map of very many keys is refused at once", () => {
  // Held each against each, they would take the whole process many seconds.
  const text = Array.from({ length: 25_000 }, (_, i) => `k${i}: 1`).join("\n");
  const before = process.cpuUsage();
  assert.throws(() => parseRules(text, "yaml"), ServiceError);
  assert.ok(process.cpuUsage(before).user < 4_000_000);
});

test("rules: a bomb of aliases is refused", () => {
  const lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"];
  for (let i = 1; i < 9; i++) {
    const before = `*a${i - 1}`;
    lines.push(`a${i}: &a${i} [${new Array(10).fill(before).join(",")}]`);
  }
  assert.throws(
    () => parseRules(lines.join("\n"), "yaml"),
    (error: unknown) => error instanceof ServiceError && error.code === "request.malformed",
  );
});

test("rules: what an alert means is the same for another spelling of its times", () => {
  const [rule] = parseRules(JSON.stringify({ ...threshold, for: "60s" }));
  assert.ok(rule !== undefined);
  assert.equal(fingerprintOf({ ...rule, for: "1m", every: "1m" }), fingerprintOf(rule));
  assert.notEqual(fingerprintOf({ ...rule, for: "2m" }), fingerprintOf(rule));
  assert.notEqual(fingerprintOf({ ...rule, condition: "> 2" }), fingerprintOf(rule));
});
