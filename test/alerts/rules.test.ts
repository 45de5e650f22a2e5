// Goal: rules are changed by REST, by files and by any ZooKeeper client, and what is wrong is refused before anything is written.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import test, { after, before } from "node:test";
import { secretMask } from "../../api/src/alerts.ts";
import { rulePath } from "../../cluster/src/rule-data.ts";
import { ZooKeeperClient } from "../../coordinator/src/client/client.ts";
import { Service } from "../service.ts";
import { Receiver, secret, until } from "./receiver.ts";
import { apply, ask, base, listedRule, ruleOf } from "./rules.ts";

let service: Service;
let receiver: Receiver;
let client: ZooKeeperClient;

before(async () => {
  service = await Service.start();
  receiver = await Receiver.open();
  client = new ZooKeeperClient({ connect: service.coordinator });
  const own = readFileSync(path.join(service.dataDir, "cluster-secret"), "utf8").trim();
  await client.addAuth("digest", `logkeep:${own}`);
});

after(async () => {
  await client.close();
  await receiver.close();
  await service.stop();
});

const rules = `${base}/rules`;
const firedOf = (rule: string) =>
  receiver.taken.filter((each) => each.rule === rule && each.status === "firing").length;

test("a rule is created, listed with its defaults, changed by its version, and deleted", async () => {
  const rule = ruleOf({ name: "crud", query: "a", labels: { a: "b" } }, receiver.url);
  const made = await ask(service, `${rules}/crud`, { method: "PUT", body: rule });
  assert.equal(made.status, 201);
  assert.equal(made.etag, '"0"');
  const listed = await listedRule(service, "crud");
  assert.equal(listed.state, "inactive");
  assert.deepEqual(listed.rule, {
    ...{ name: "crud", type: "match", query: "a", for: "0s", keepFor: "1m", labels: { a: "b" } },
    notify: [{ webhook: { url: receiver.url, secret: secretMask } }],
  });
  const put = (headers: Record<string, string>) =>
    ask(service, `${rules}/crud`, { method: "PUT", body: { ...rule, query: "b" }, headers });
  assert.equal((await put({ "If-None-Match": "*" })).status, 412);
  assert.equal((await put({ "If-Match": '"5"' })).status, 412);
  assert.equal((await put({ "If-Match": "soon" })).status, 400);
  const changed = await put({ "If-Match": '"0"' });
  assert.deepEqual([changed.status, changed.etag], [200, '"1"']);
  const del = (headers: Record<string, string> = {}) =>
    ask(service, `${rules}/crud`, { method: "DELETE", headers });
  assert.equal((await del({ "If-Match": '"0"' })).json["code"], "alerts.version-mismatch");
  assert.equal((await del()).status, 204);
  assert.equal((await del()).status, 404);
  assert.equal((await ask(service, `${rules}/crud`)).status, 404);
});

test("a name may be any text without a slash, but for . and ..", async () => {
  for (const name of ["Störung: 50 % ✓", "...", "a b?c#d&e"]) {
    await apply(service, ruleOf({ name, query: "a" }));
    assert.equal((await listedRule(service, name)).rule.name, name);
    const path = `${rules}/${encodeURIComponent(name)}`;
    assert.equal((await ask(service, path, { method: "DELETE" })).status, 204, name);
  }
  for (const name of [".", "..", "a/b", "a\nb"]) {
    const body = ruleOf({ name, query: "a" });
    const { json } = await ask(service, rules, { method: "POST", body });
    assert.deepEqual([json["code"], json["field"]], ["alerts.invalid-rule", "name"], name);
  }
});

test("several rules come in one request, as YAML too, and what has not changed is left alone", async () => {
  const text = [
    "rules:",
    "  - name: yaml one",
    "    type: match",
    "    query: '{service=\"a\"} error'",
    "  - {name: yaml two, type: threshold, query: 'x | stats count() n', condition: '> 5'}",
  ].join("\n");
  const post = (body: string, type: string) =>
    ask(service, rules, { method: "POST", body, headers: { "Content-Type": type } });
  const outcomes = ({ json }: { json: Record<string, unknown> }) =>
    (json["rules"] as { outcome: string }[]).map(({ outcome }) => outcome);
  assert.deepEqual(outcomes(await post(text, "application/yaml")), ["created", "created"]);
  assert.deepEqual(outcomes(await post(text, "text/yaml")), ["unchanged", "unchanged"]);
  const edited = text.replace("> 5", "> 6");
  assert.deepEqual(outcomes(await post(edited, "application/x-yaml; charset=utf-8")), [
    "unchanged",
    "changed",
  ]);
  assert.equal((await listedRule(service, "yaml two")).version, 1);
});

test("what is wrong is refused with its place, and nothing of the request is written", async () => {
  const good = ruleOf({ name: "good", query: "a" });
  const bad: readonly (readonly [Record<string, unknown>, string])[] = [
    [{ ...good, name: "" }, "name"],
    [{ ...good, name: "a/b" }, "name"],
    [{ ...good, type: "sometimes" }, "type"],
    [{ ...good, query: "a | nonsense" }, "query"],
    [{ ...good, query: "a | stats count()" }, "query"],
    [{ ...good, condition: "> 1" }, "condition"],
    [{ ...good, type: "threshold" }, "condition"],
    [{ ...good, type: "threshold", condition: "> 1" }, "query"],
    [{ ...good, type: "threshold", condition: "about 5", query: "a|stats count()" }, "condition"],
    [{ ...good, keepFor: "soon" }, "keepFor"],
    [{ ...good, notify: [{ webhook: { url: "ftp://x" } }] }, "notify"],
    [{ ...good, notify: [{ webhook: { url: receiver.url, secret: secretMask } }] }, "notify"],
    [{ ...good, extra: true }, ""],
  ];
  for (const [rule, field] of bad) {
    const other = ruleOf({ name: "beside", query: "b" });
    const { status, json } = await ask(service, rules, { method: "POST", body: [other, rule] });
    assert.equal(status, 400, JSON.stringify(json));
    assert.equal(json["code"], "alerts.invalid-rule", JSON.stringify(json));
    assert.ok(String(json["field"]).startsWith(field), JSON.stringify(json));
  }
  for (const name of ["beside", "good"]) {
    assert.equal((await ask(service, `${rules}/${name}`)).status, 404);
  }
});

test("bodies that are no rules are told apart", async () => {
  const post = async (body: string, type = "application/json") => {
    const headers = { "Content-Type": type };
    const { status, json } = await ask(service, rules, { method: "POST", body, headers });
    return [status, json["code"]];
  };
  assert.deepEqual(await post("{"), [400, "request.malformed"]);
  assert.deepEqual(await post("a: [", "text/yaml"), [400, "request.malformed"]);
  assert.deepEqual(await post("[]"), [400, "request.malformed"]);
  assert.deepEqual(await post("{}", "text/csv"), [415, "request.media-type"]);
  assert.deepEqual(await post(" ".repeat(300 * 1024)), [413, "request.too-large"]);
  const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${[..."bcdefghi"]
    .map((to, i) => `${to}: &${to} [${Array(9).fill(`*${"abcdefgh"[i]}`).join(",")}]`)
    .join("\n")}`;
  assert.equal((await post(bomb, "text/yaml"))[0], 400);
  const put = await ask(service, `${rules}/one`, {
    method: "PUT",
    body: ruleOf({ name: "other", query: "a" }),
  });
  assert.deepEqual([put.status, put.json["field"]], [400, "name"]);
});

test("a secret is never shown, and its mask keeps it", async () => {
  const rule = ruleOf({ name: "masked", query: "masked", keepFor: "1s" }, receiver.url);
  await apply(service, rule);
  const { rule: shown } = await listedRule(service, "masked");
  const all = await fetch(`${service.http}${rules}`).then((response) => response.text());
  assert.ok(!all.includes(secret));
  const edited = { ...shown, query: "unmasked" };
  const { status } = await ask(service, `${rules}/masked`, { method: "PUT", body: edited });
  assert.equal(status, 200);
  await service.ship([{ service: "m", _msg: "unmasked" }]);
  // The receiver takes only what is signed with the secret.
  await until(() => firedOf("masked") === 1, "the changed rule fires, signed");
});

test("a test notification goes to every receiver, and says what each said", async () => {
  const silent = "http://127.0.0.1:1/nobody";
  await apply(service, ruleOf({ name: "tried", query: "a" }, receiver.url, silent));
  const { status, json } = await ask(service, `${rules}/tried/test`, { method: "POST" });
  assert.equal(status, 200);
  const deliveries = json["deliveries"] as { url: string; delivered: boolean; reason?: string }[];
  assert.deepEqual(
    deliveries.map(({ url, delivered }) => [url, delivered]),
    [
      [receiver.url, true],
      [silent, false],
    ],
  );
  assert.ok((deliveries[1]?.reason ?? "") !== "");
  assert.equal((await ask(service, `${rules}/unknown/test`, { method: "POST" })).status, 404);
});

test("a rule edited by REST is in force at once", async () => {
  await apply(service, ruleOf({ name: "edited", query: "before", keepFor: "1s" }, receiver.url));
  await apply(
    service,
    ruleOf({ name: "edited", query: "afterwards", keepFor: "1s" }, receiver.url),
  );
  await inForce("edited", "afterwards");
});

test("a rule written by a raw ZooKeeper client is in force at once, and so is what it edits", async (context) => {
  const write = (query: string) => {
    const rule = ruleOf({ name: "raw", query, keepFor: "1s" }, receiver.url);
    return Buffer.from(JSON.stringify(rule));
  };
  const at = rulePath("default", "raw");
  const { acl } = await client.getAcl("/logkeep/alerts");
  await client.create(at, write("created"), { acl });
  context.diagnostic(`created: in force after ${await inForce("raw", "created")} ms`);
  await client.setData(at, write("changed"));
  context.diagnostic(`changed: in force after ${await inForce("raw", "changed")} ms`);
  assert.equal((await listedRule(service, "raw")).version, 1);
  await client.setData(at, Buffer.from("no rule any more"));
  await until(async () => (await ask(service, `${rules}/raw`)).status === 404, "it is skipped");
  await client.delete(at);
});

/** Ships until the rule fires on the word; says how long that took, in milliseconds. */
async function inForce(rule: string, word: string): Promise<string> {
  const before = firedOf(rule);
  const started = performance.now();
  const fires = async (): Promise<boolean> => {
    await service.ship([{ service: "f", _msg: word }]);
    return firedOf(rule) > before;
  };
  await until(fires, `${rule} fires on ${word}`);
  return (performance.now() - started).toFixed(0);
}

test("rules and alerts are one tenant's: others neither see nor change nor match them", async () => {
  const mine = { "X-Logkeep-Tenant": "mine" };
  const rule = ruleOf({ name: "private", query: "*", keepFor: "1h" }, receiver.url);
  const put = await ask(service, `${rules}/private`, { method: "PUT", body: rule, headers: mine });
  assert.equal(put.status, 201);
  await service.ship([{ service: "x", _msg: "of the default tenant" }]);
  await service.ship([{ service: "x", _msg: "of mine" }], { headers: mine });
  await until(() => firedOf("private") === 1, "it fires");
  const [fired] = receiver.taken.filter((each) => each.rule === "private");
  assert.deepEqual(
    fired?.lines.map(({ _msg }) => _msg),
    ["of mine"],
  );
  const others = { "X-Logkeep-Tenant": "other" };
  for (const headers of [others, {}]) {
    assert.equal((await ask(service, `${rules}/private`, { headers })).status, 404);
    const { json } = await ask(service, `${base}/alerts`, { headers });
    assert.ok(!JSON.stringify(json).includes("private"));
    const history = await ask(service, `${base}/history`, { headers });
    assert.ok(!JSON.stringify(history.json).includes("of mine"));
  }
  const deleted = await ask(service, `${rules}/private`, { method: "DELETE", headers: others });
  assert.equal(deleted.status, 404);
  for (const tenant of ["mine", "other", "default"]) {
    const search = new URLSearchParams({ query: '{stream="_alerts"}', start: "0" });
    const headers = { "X-Logkeep-Tenant": tenant };
    const response = await fetch(`${service.http}/api/v1/query?${search}`, { headers });
    assert.equal(await response.text(), "");
  }
});

test("a key that only reads sees rules and changes none", async () => {
  const made = await ask(service, "/api/v1/keys", {
    method: "POST",
    body: { name: "reader", scopes: ["read"] },
  });
  const headers = { Authorization: `Bearer ${String(made.json["token"])}` };
  assert.equal((await ask(service, rules, { headers })).status, 200);
  assert.equal((await ask(service, `${base}/history`, { headers })).status, 200);
  const rule = ruleOf({ name: "r", query: "a" });
  const writes = [
    ask(service, rules, { method: "POST", body: rule, headers }),
    ask(service, `${rules}/r`, { method: "PUT", body: rule, headers }),
    ask(service, `${rules}/masked`, { method: "DELETE", headers }),
    ask(service, `${rules}/masked/test`, { method: "POST", headers }),
  ];
  for (const { status } of await Promise.all(writes)) assert.equal(status, 403);
});

test("Prometheus' shapes hold the same rules and alerts", async () => {
  await apply(service, ruleOf({ name: "prom", query: "prom", keepFor: "1h", labels: { a: "b" } }));
  await service.ship([{ service: "p", _msg: "prom" }]);
  type Data = { data: { groups: { rules: Record<string, unknown>[] }[]; alerts: object[] } };
  const get = async (name: string) => {
    const { status, json } = await ask(service, `/prometheus/api/v1/${name}`);
    assert.deepEqual([status, json["status"]], [200, "success"]);
    return (json as unknown as Data).data;
  };
  const find = async () =>
    (await get("rules")).groups[0]?.rules.find((rule) => rule["name"] === "prom");
  await until(async () => (await find())?.["state"] === "firing", "it fires");
  const rule = await find();
  assert.deepEqual(
    [rule?.["type"], rule?.["health"], rule?.["keepFiringFor"]],
    ["alerting", "ok", 3600],
  );
  const labels = { a: "b", alertname: "prom" };
  const alert = (await get("alerts")).alerts.find(
    (each) => JSON.stringify((each as { labels: object }).labels) === JSON.stringify(labels),
  );
  assert.ok(alert !== undefined);
});

test("a tenant has as many rules as it may, and no request brings more", async (context) => {
  const own = await Service.start({ env: { LOGKEEP_ALERTS_RULES_MAX: "3" } });
  context.after(() => own.kill());
  const some = ["1", "2", "3", "4"].map((name) => ruleOf({ name, query: "a" }));
  const post = (body: unknown) => ask(own, rules, { method: "POST", body });
  assert.equal((await post(some)).json["code"], "alerts.too-many");
  assert.deepEqual((await ask(own, rules)).json["rules"], []);
  assert.equal((await post(some.slice(0, 3))).status, 200);
  const put = await ask(own, `${rules}/4`, { method: "PUT", body: some[3] });
  assert.equal(put.status, 422);
  assert.equal(await own.stop(), 0);
});
