import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { after, before, beforeEach, test } from "node:test";
import { parse } from "yaml";
import type { AlertEvent, RuleForm, RuleListed } from "../../api/src/alerts.ts";
import { FakeService, json, problem } from "./fake-service.ts";
import { run } from "./run.ts";

const dir = mkdtempSync(join(tmpdir(), "logkeep-alerts-"));
let service: FakeService;
let url: string;

before(async () => {
  service = new FakeService();
  url = await service.start();
});

beforeEach(() => service.reset());

after(async () => {
  await service.stop();
  rmSync(dir, { recursive: true, force: true });
});

const form: RuleForm = {
  name: "disk: full",
  type: "threshold",
  query: '{service="api"} level:error | stats count() n',
  condition: "> 5",
  every: "15s",
  for: "0s",
  keepFor: "0s",
  labels: { severity: "page", code: "007" },
  notify: [{ webhook: { url: "http://127.0.0.1:9/hook", secret: "********" } }],
};

const rule: RuleListed = {
  id: "0123456789abcdef",
  version: 3,
  createdAt: "2026-01-31T10:00:00.000Z",
  updatedAt: "2026-01-31T10:00:00.000Z",
  state: "firing",
  evaluatedAt: "2026-01-31T10:00:15.000Z",
  rule: form,
};

const event: AlertEvent = {
  time: "2026-01-31T10:00:16.000Z",
  rule: "disk: full",
  status: "firing",
  labels: { host: "h1", severity: "page" },
  count: 7,
  startsAt: "2026-01-31T10:00:15.000Z",
  endsAt: null,
  dedupeKey: "k",
  link: "http://127.0.0.1:7070/",
  lines: [],
  deliveries: [
    { url: "http://127.0.0.1:9/hook", outcome: "delivered", attempts: 1 },
    { url: "http://127.0.0.1:9/b", outcome: "refused", attempts: 1, reason: "it answered\n404" },
  ],
};

/** Answers every request with this. */
function answer(status: number, body: unknown): void {
  service.intercept = (_, response) => {
    json(response, status, JSON.stringify(body));
    return true;
  };
}

function alerts(...args: readonly string[]) {
  return run(["alerts", ...args, "--url", url]);
}

function fileOf(name: string, text: string): string {
  const file = join(dir, name);
  writeFileSync(file, text);
  return file;
}

const sent = (): unknown => JSON.parse(service.seen.at(-1)?.body ?? "");

const texts: readonly { readonly name: string; readonly text: string; readonly names: string }[] = [
  { name: "one.yaml", text: "name: a\nlabels: {code: '007'}\n", names: "a" },
  { name: "list.yml", text: "- name: a\n- name: b\n", names: "a,b" },
  { name: "rules.yaml", text: "rules:\n  - name: a\n  - name: b\n", names: "a,b" },
  { name: "documents.yaml", text: "---\nname: a\n---\nname: b\n---\n", names: "a,b" },
  { name: "one.json", text: '{"name":"a"}', names: "a" },
  { name: "list.json", text: '[{"name":"a"},{"name":"b"}]', names: "a,b" },
  { name: "no-ending", text: '{"rules":[{"name":"a"}]}', names: "a" },
];

for (const { name, text, names } of texts) {
  test(`apply sends the rules of ${name}`, async () => {
    answer(200, { rules: [] });
    const ran = await alerts("apply", fileOf(name, text));
    assert.deepEqual([ran.code, ran.err], [0, ""]);
    const [request] = service.seen;
    assert.deepEqual(
      [request?.method, request?.url.pathname, request?.headers["content-type"]],
      ["POST", "/api/v1/alerting/rules", "application/json"],
    );
    assert.equal((sent() as { name: string }[]).map((each) => each.name).join(), names);
  });
}

test("apply reads stdin and tells what became of each rule", async () => {
  const rules = [
    { name: "a", version: 0, outcome: "created" },
    { name: "b\u001b[2J", version: 2, outcome: "changed" },
    { name: "c", version: 1, outcome: "unchanged" },
  ];
  answer(200, { rules });
  const stdin = Readable.from(["- name: a\n", "- name: b\n- name: c\n"]);
  const ran = await run(["alerts", "apply", "-", "--url", url], { stdin });
  assert.deepEqual([ran.code, ran.err], [0, ""]);
  assert.equal(ran.out, "created    a\nchanged    b␛[2J\nunchanged  c\n");
});

const unreadable: readonly { readonly text: string; readonly said: RegExp }[] = [
  { text: "name: a\n  type: match\n", said: /x\.yaml:\d+:\d+: \S/ },
  { text: '{"name": "a"', said: /x\.yaml:1:\d+: \S/ },
  { text: "# nothing\n", said: /x\.yaml: there is no rule in it/ },
  { text: "only a text", said: /x\.yaml: a rule is an object/ },
  { text: "rules: 5", said: /x\.yaml: rules: must be a list/ },
];

for (const { text, said } of unreadable) {
  test(`apply of ${JSON.stringify(text)} says where it cannot be read and asks nobody`, async () => {
    const ran = await alerts("apply", fileOf("x.yaml", text));
    assert.equal(ran.code, 1);
    assert.match(ran.err, said);
    assert.equal(ran.err.trim().split("\n").length, 1);
    assert.equal(service.seen.length, 0);
  });
}

test("apply of a file that is not there says so", async () => {
  const ran = await alerts("apply", join(dir, "missing.yaml"));
  assert.equal(ran.code, 1);
  assert.match(ran.err, /cannot read .*missing\.yaml.*ENOENT/);
});

test("apply tells rule, field and reason of a wrong rule", async () => {
  service.intercept = (_, response) => {
    const facts = { rule: "a", field: "condition", reason: "is needed" };
    const detail = 'rule "a": condition: is needed';
    problem(response, 400, "alerts.invalid-rule", detail, facts);
    return true;
  };
  const ran = await alerts("apply", fileOf("a.yaml", "name: a\n"));
  assert.deepEqual([ran.code, ran.out], [1, ""]);
  assert.equal(ran.err, 'logkeep: rule "a": condition: is needed\n');
});

test("list shows the rules with their states", async () => {
  const { condition, every, ...match } = { ...form, name: "panics", type: "match" as const };
  assert(condition !== undefined && every !== undefined);
  const { evaluatedAt, ...unseen } = rule;
  assert(evaluatedAt !== undefined);
  const failing = { ...unseen, state: "inactive", rule: match, error: "no\nshard" };
  answer(200, { rules: [rule, failing] });
  const ran = await alerts("list");
  assert.deepEqual([ran.code, ran.err], [0, ""]);
  assert.equal(
    ran.out,
    `NAME        TYPE       STATE     EVERY  EVALUATED                 ERROR
disk: full  threshold  firing    15s    2026-01-31T10:00:15.000Z
panics      match      inactive  -      -                         no shard
`,
  );
  const asJson = await alerts("list", "--json");
  assert.equal((JSON.parse(asJson.out) as { rules: unknown[] }).rules.length, 2);
});

test("show prints a rule that can be applied again", async () => {
  answer(200, rule);
  const ran = await alerts("show", "disk: full");
  assert.deepEqual([ran.code, ran.err], [0, ""]);
  assert.equal(service.seen[0]?.url.pathname, "/api/v1/alerting/rules/disk%3A%20full");
  assert.deepEqual(parse(ran.out), form);
  answer(200, { rules: [] });
  await alerts("apply", fileOf("shown.yaml", ran.out));
  assert.deepEqual(sent(), [form]);
});

test("delete names the rule, and one that is not there fails", async () => {
  service.intercept = (_, response) => {
    response.writeHead(204).end();
    return true;
  };
  const ran = await alerts("delete", "a?b");
  assert.deepEqual([ran.code, ran.out], [0, "rule a?b is deleted\n"]);
  const [request] = service.seen;
  assert.deepEqual(
    [request?.method, request?.url.pathname],
    ["DELETE", "/api/v1/alerting/rules/a%3Fb"],
  );
  service.intercept = (_, response) => {
    problem(response, 404, "request.not-found", "no such rule", { name: "b" });
    return true;
  };
  const missing = await alerts("delete", "b");
  assert.deepEqual([missing.code, missing.err], [1, "logkeep: no such rule (name: b)\n"]);
});

test("test tells what each receiver said, and fails when one did not take it", async () => {
  const [took, refused] = ["http://127.0.0.1:9/a", "http://127.0.0.1:9/b"];
  const deliveries = [
    { url: took, delivered: true },
    { url: refused, delivered: false, reason: "it answered 404" },
  ];
  answer(200, { deliveries });
  const ran = await alerts("test", "a");
  assert.equal(ran.code, 1);
  assert.equal(ran.out, `a  ${took}  delivered\na  ${refused}  failed: it answered 404\n`);
  assert.equal(ran.err, "logkeep: 1 of 2 receivers did not take it\n");
  assert.deepEqual(
    [service.seen[0]?.url.pathname, service.seen[0]?.body],
    ["/api/v1/alerting/rules/a/test", ""],
  );
});

test("test of a file sends its rules, which need not be kept by the service", async () => {
  answer(200, { deliveries: [] });
  const ran = await alerts("test", fileOf("two.yaml", "- name: a\n- name: b\n  type: match\n"));
  assert.deepEqual([ran.code, ran.out], [0, ""]);
  assert.equal(ran.err, "rule a notifies nobody\nrule b notifies nobody\n");
  assert.deepEqual(
    service.seen.map(({ url: asked, body }) => [asked.pathname, JSON.parse(body) as unknown]),
    [
      ["/api/v1/alerting/rules/a/test", { name: "a" }],
      ["/api/v1/alerting/rules/b/test", { name: "b", type: "match" }],
    ],
  );
  const nameless = await alerts("test", fileOf("nameless.yaml", "- type: match\n"));
  assert.deepEqual([nameless.code, nameless.err], [1, "logkeep: rule #1: name: is missing\n"]);
});

test("history shows notifications and what became of them", async () => {
  answer(200, { events: [event] });
  const ran = await alerts("history", "--rule", "disk: full", "--limit", "5");
  assert.deepEqual([ran.code, ran.err], [0, ""]);
  assert.equal(
    ran.out,
    `TIME                      RULE        STATUS  COUNT  LABELS                 DELIVERED
2026-01-31T10:00:16.000Z  disk: full  firing  7      host=h1,severity=page  1 of 2, refused: it answered 404
`,
  );
  assert.equal(service.seen[0]?.url.search, "?rule=disk%3A+full&limit=5");
  const asJson = await alerts("history", "--json");
  assert.deepEqual(JSON.parse(asJson.out), { events: [event] });
});

test("wrong usage ends with 2 and asks nobody", async () => {
  for (const args of [
    ["apply"],
    ["show"],
    ["delete"],
    ["test"],
    ["history", "--limit", "0"],
    ["history", "--limit", "1001"],
    ["history", "--limit", "x"],
    ["list", "more"],
  ]) {
    const ran = await alerts(...args);
    assert.equal(ran.code, 2, args.join(" "));
  }
  assert.equal(service.seen.length, 0);
});

test("an answer of something else is told", async () => {
  for (const body of [{}, { rules: 5 }]) {
    answer(200, body);
    for (const args of [["list"], ["show", "a"], ["apply", fileOf("b.yaml", "name: a")]]) {
      const ran = await alerts(...args);
      assert.equal(ran.code, 1);
      assert.match(ran.err, /is the service of this version\?/);
    }
  }
});
