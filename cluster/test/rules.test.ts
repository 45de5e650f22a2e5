import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { type Rule, ruleSchema } from "../../alerts/src/rule.ts";
import { aclDigest } from "../../coordinator/src/client/acl.ts";
import type { ZooKeeperClient } from "../../coordinator/src/client/client.ts";
import { perms } from "../../coordinator/src/wire/constants.ts";
import { systemClock } from "../../kit/src/clock.ts";
import { paths } from "../src/paths.ts";
import { rulePath } from "../src/rule-data.ts";
import type { ZnodeRuleStore } from "../src/rule-store.ts";
import { Given, until } from "./given.ts";

let given: Given;
let client: ZooKeeperClient;
let store: ZnodeRuleStore;

before(async () => {
  given = await Given.open();
  const cluster = await given.cluster();
  client = cluster.client;
  store = await cluster.openRules({ rulesMax: 4, clock: systemClock });
});

after(async () => {
  await store.close();
  await given.close();
});

function ruleOf(name: string, query = "error"): Rule {
  const notify = [{ webhook: { url: "http://127.0.0.1:1/x", secret: "s3cret" } }];
  return ruleSchema.parse({ name, type: "match", query, notify });
}

const found = (tenant: string, name: string) =>
  store.list().find((each) => each.tenant === tenant && each.rule.name === name);

test("a rule is kept whole, keeps its id, and its version counts its changes", async () => {
  const made = await store.put("a", ruleOf("one"));
  assert.equal(made.version, 0);
  assert.deepEqual(found("a", "one"), made);
  const changed = await store.put("a", ruleOf("one", "panic"), 0);
  assert.equal(changed.version, 1);
  assert.equal(changed.id, made.id);
  assert.equal(changed.createdMs, made.createdMs);
  assert.equal(found("a", "one")?.rule.query, "panic");
  await store.delete("a", "one", 1);
  assert.equal(found("a", "one"), undefined);
  const again = await store.put("a", ruleOf("one"));
  assert.notEqual(again.id, made.id);
  await store.delete("a", "one");
});

test("a change that expects another version is refused and changes nothing", async () => {
  await store.put("b", ruleOf("r"));
  await store.put("b", ruleOf("r", "second"));
  const refused = { code: "alerts.version-mismatch" };
  await assert.rejects(store.put("b", ruleOf("r", "third"), 0), refused);
  await assert.rejects(store.put("b", ruleOf("r", "third"), -1), refused);
  await assert.rejects(store.put("b", ruleOf("unknown"), 3), refused);
  await assert.rejects(store.delete("b", "r", 0), refused);
  await assert.rejects(store.delete("b", "unknown"), { code: "request.not-found" });
  assert.equal(found("b", "r")?.rule.query, "second");
  await store.delete("b", "r");
});

test("of many who create one rule at once with none expected, one wins", async () => {
  const puts = Array.from({ length: 8 }, (_, i) => store.put("c", ruleOf("r", `q${i}`), -1));
  const outcomes = await Promise.allSettled(puts);
  assert.equal(outcomes.filter(({ status }) => status === "fulfilled").length, 1);
  await store.delete("c", "r");
});

test("a tenant has so many rules and no more, whatever others have", async () => {
  for (const name of ["1", "2", "3", "4"]) await store.put("d", ruleOf(name));
  await assert.rejects(store.put("d", ruleOf("5")), { code: "alerts.too-many" });
  await store.put("d", ruleOf("4", "changed"));
  await store.put("e", ruleOf("5"));
  for (const name of ["1", "2", "3", "4"]) await store.delete("d", name);
  await store.delete("e", "5");
});

for (const name of ["a b%20c", "...", "Störung 50 %", "ütf-8 ✓", "a\\b?c#d"]) {
  test(`a rule may be called ${JSON.stringify(name)}`, async () => {
    await store.put("f", ruleOf(name));
    assert.equal(found("f", name)?.rule.name, name);
    await store.delete("f", name);
    assert.equal(found("f", name), undefined);
  });
}

test("what anybody writes to the znodes is in the list at once, and what is no rule is skipped", async () => {
  let calls = 0;
  const stop = store.onChange(() => calls++);
  const { acl } = await client.getAcl(paths.alerts);
  const write = (path: string, value: unknown) =>
    client.create(path, Buffer.from(JSON.stringify(value)), { acl });
  await client.create(paths.tenantRules("g"), null, { acl });
  await write(rulePath("g", "plain"), { name: "plain", type: "match", query: "x" });
  await until(() => found("g", "plain") !== undefined);
  assert.ok(calls > 0);
  const { id } = found("g", "plain") as { id: string };
  const edited = { name: "plain", type: "match", query: "y", keepFor: "5s" };
  await client.setData(rulePath("g", "plain"), Buffer.from(JSON.stringify(edited)));
  await until(() => found("g", "plain")?.rule.query === "y");
  assert.equal(found("g", "plain")?.id, id);
  assert.equal(found("g", "plain")?.version, 1);
  const wrong = [null, "", "{", '"x"', '{"name":"bad"}', '{"rule":{}}', "\u0000"];
  for (const [i, data] of wrong.entries()) {
    await client.create(rulePath("g", `bad${i}`), data === null ? null : Buffer.from(data), {
      acl,
    });
  }
  await write(rulePath("g", "query"), { name: "query", type: "match", query: "a | nonsense" });
  await write(rulePath("g", "other"), { name: "plain", type: "match", query: "z" });
  await write(`${rulePath("g", "plain")}/below`, {});
  await write(rulePath("g", "last"), { name: "last", type: "match", query: "x" });
  await until(() => found("g", "last") !== undefined);
  assert.deepEqual(
    store
      .list()
      .filter(({ tenant }) => tenant === "g")
      .map(({ rule }) => rule.name),
    ["plain", "last"],
  );
  await client.setData(rulePath("g", "last"), Buffer.from("no more"));
  await until(() => found("g", "last") === undefined);
  // A good rule goes over one that nobody can read.
  await store.put("g", ruleOf("bad0"));
  assert.equal(found("g", "bad0")?.version, 1);
  stop();
});

test("rules are the cluster's alone: they hold secrets", async () => {
  await store.put("h", ruleOf("r"));
  const anonymous = given.direct();
  const refused = { code: "NOAUTH" };
  await assert.rejects(anonymous.getData(rulePath("h", "r")), refused);
  await assert.rejects(anonymous.setData(rulePath("h", "r"), Buffer.from("{}")), refused);
  await assert.rejects(anonymous.getChildren(paths.tenantRules("h")), refused);
  await assert.rejects(anonymous.create(`${paths.alerts}/x`), refused);
  await store.delete("h", "r");
});

test("a rule that may not be read any more stays as it was known", async () => {
  await store.put("j", ruleOf("r"));
  const at = rulePath("j", "r");
  await client.setAcl(at, [aclDigest("logkeep", "secret", perms.all & ~perms.read)]);
  await client.setData(at, Buffer.from(JSON.stringify(ruleOf("r", "changed"))));
  await store.put("j", ruleOf("other"));
  assert.equal(found("j", "r")?.rule.query, "error");
  await store.delete("j", "other");
});

test("a rule that is too long for a znode is refused", async () => {
  const rule = { ...ruleOf("long"), query: "\u0001".repeat(60_000) };
  await assert.rejects(store.put("i", rule), { code: "alerts.invalid-rule" });
});
