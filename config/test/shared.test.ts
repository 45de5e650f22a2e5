import assert from "node:assert/strict";
import { test } from "node:test";
import { describeSettings } from "../src/describe.ts";
import { loadSettings } from "../src/load.ts";
import { coerceShared, sectionOf, sharedSettings } from "../src/shared.ts";

test("every setting of the whole cluster is a setting, and none of them is a secret", () => {
  const infos = new Map(describeSettings().map((info) => [info.path, info]));
  for (const path of sharedSettings.keys()) {
    const info = infos.get(path);
    assert.ok(info !== undefined, `${path} is a setting`);
    assert.equal(info.isSecret, false, `${path} is no secret`);
  }
});

test("values of the whole cluster are read as those of flags, and a node's own are refused", () => {
  const { values, problems } = coerceShared({
    "query.timeoutMs": "60s",
    "query.memoryMaxBytes": 1024,
    "query.timeout": "1s",
    "node.id": 3,
  });
  assert.deepEqual(values, { "query.timeoutMs": 60_000, "query.memoryMaxBytes": 1024 });
  assert.equal(problems.length, 2);
  assert.match(problems[0] ?? "", /query\.timeout is no setting; did you mean query\.timeoutMs\?/);
  assert.match(problems[1] ?? "", /node\.id is a node's own.*LOGKEEP_NODE_ID/);
});

test("a section is no setting, which is said with one of its own; a word alone is a section as a whole", () => {
  const { problems } = coerceShared({ query: 3 });
  assert.deepEqual(problems, [
    "query is no setting but a section, of which each is set by its name, as query.timeoutMs",
  ]);
  assert.deepEqual(["query", "query.timeoutMs", "foo"].map(sectionOf), ["query", "query", "foo"]);
});

test("what is set for the whole cluster lies below a node's file, variables and flags", () => {
  const shared = { "query.timeoutMs": 60_000, "query.concurrencyMax": 4, "log.level": "warn" };
  const file = { name: "a.yaml", text: "query:\n  concurrencyMax: 5\n" };
  const { settings, origins } = loadSettings({ shared, file, env: { LOGKEEP_LOG_LEVEL: "error" } });
  assert.equal(settings.query.timeoutMs, 60_000);
  assert.equal(settings.query.concurrencyMax, 5);
  assert.equal(settings.log.level, "error");
  assert.equal(origins.get("query.timeoutMs"), "cluster");
  assert.equal(origins.get("query.concurrencyMax"), "a.yaml:2");
});

test("a setting of a later release that is set for the whole cluster is passed over", () => {
  const { settings } = loadSettings({ shared: { "query.notYetThere": 1 } });
  assert.equal(settings.query.timeoutMs, 30_000);
});

test("what no node can run with is refused, by its name", () => {
  assert.throws(
    () => loadSettings({ shared: { "query.timeoutMs": 1 } }),
    /cluster: query\.timeoutMs must be at least 100 ms/,
  );
});
