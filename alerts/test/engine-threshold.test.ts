import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { ServiceError } from "../../kit/src/errors.ts";
import type { Alerts, AlertsOptions } from "../src/engine.ts";
import type { Rule } from "../src/rule.ts";
import { deliverAll, ruleOf, until, World } from "./world.ts";

const every = 15_000;
const threshold = {
  type: "threshold",
  query: "level:error | stats count() n",
  condition: "> 5",
  labels: { severity: "page" },
};

interface Scene {
  readonly world: World;
  readonly alerts: Alerts;
  readonly id: string;
  /** Moves the clock to the next tick, and ticks. */
  tick(): Promise<number>;
  /** Delivers until nothing waits that could go now. */
  deliver(): Promise<void>;
}

async function scene(
  context: TestContext,
  form: object = threshold,
  overrides: Partial<AlertsOptions> = {},
): Promise<Scene> {
  const world = new World();
  const { id } = await world.rules.put("t", ruleOf(form));
  const alerts = await world.open(overrides);
  context.after(() => world.close());
  return {
    world,
    alerts,
    id,
    async tick() {
      world.clock.nowMs += every;
      await world.scheduler?.tick(id, world.clock.nowMs);
      return world.clock.nowMs;
    },
    deliver: () => deliverAll(world),
  };
}

const value = (n: number) => () => [{ n: String(n) }];
const told = (world: World) => world.sent.map(({ notification }) => notification);

test("a threshold that holds fires with its lines, count and link, and resolves when it ceases", async (t) => {
  const { world, alerts, tick, deliver } = await scene(t);
  world.lines = () => [1, 2, 3, 4].map((i) => ({ _time: `t${i}`, _msg: `failed ${i}` }));
  await tick();
  assert.equal(alerts.rules("t")[0]?.state, "inactive");
  assert.deepEqual(world.journal, [], "a tick that changes nothing writes nothing");

  world.rows = value(9);
  const firedMs = await tick();
  assert.equal(alerts.rules("t")[0]?.state, "firing");
  const [alert] = alerts.alerts("t");
  assert.deepEqual(
    [alert?.rule, alert?.status, alert?.count, alert?.labels],
    ["r", "firing", 9, { severity: "page" }],
  );
  await deliver();
  const [fired] = told(world);
  assert.ok(fired !== undefined);
  assert.deepEqual(
    [fired.status, fired.rule, fired.count, fired.endsAt, fired.startsAt],
    ["firing", "r", 9, null, new Date(firedMs).toISOString().replace(".000Z", "Z")],
  );
  assert.deepEqual(
    fired.lines.map((line) => line["_msg"]),
    ["failed 1", "failed 2", "failed 3"],
  );
  const link = new URL(fired.link).searchParams;
  assert.deepEqual(
    [link.get("query"), link.get("from"), link.get("to")],
    ["level:error", String(firedMs - every), String(firedMs)],
  );

  await tick();
  assert.equal(world.journal.length, 2, "what goes on writes nothing");
  world.rows = value(2);
  await tick();
  await deliver();
  const resolved = told(world)[1];
  assert.deepEqual(
    [resolved?.status, resolved?.count, resolved?.startsAt],
    ["resolved", 2, fired.startsAt],
  );
  assert.notEqual(resolved?.endsAt, null);
  assert.equal(world.sent.length, 2);
  assert.deepEqual(alerts.alerts("t"), []);
  const events = alerts.history("t", { limit: 10 });
  assert.deepEqual(
    events.map(({ status, deliveries }) => [status, deliveries]),
    [
      ["resolved", [{ url: "http://one/hook", outcome: "delivered", attempts: 1 }]],
      ["firing", [{ url: "http://one/hook", outcome: "delivered", attempts: 1 }]],
    ],
  );
  const { evaluations, delivered, firing, outboxWaiting } = alerts.figures();
  assert.deepEqual([evaluations, delivered, firing, outboxWaiting], [4, 2, 0, 0]);
});

test("each group is an alert of its own; one that vanishes or has no number resolves", async (t) => {
  const { world, alerts, tick, deliver } = await scene(t, {
    ...threshold,
    query: "level:error | stats by (app, host) count() n",
  });
  const row = (app: string, n: string) => ({ app, host: "h", n });
  world.rows = () => [row("a", "9"), row("b", "1"), row("c", "8"), row("", "7")];
  await tick();
  await deliver();
  assert.deepEqual(
    alerts.alerts("t").map(({ labels }) => labels),
    [
      { severity: "page", app: "a", host: "h" },
      { severity: "page", app: "c", host: "h" },
      { severity: "page", host: "h" },
    ],
  );
  const queries = told(world).map(({ link }) => new URL(link).searchParams.get("query"));
  assert.deepEqual(queries, [
    "level:error app:=a host:=h",
    "level:error app:=c host:=h",
    'level:error app:"" host:=h',
  ]);
  world.rows = () => [row("a", ""), row("", "7")];
  await tick();
  await deliver();
  assert.deepEqual(
    told(world)
      .slice(3)
      .map(({ status, labels, count }) => [status, labels["app"], count]),
    [
      ["resolved", "a", 9],
      ["resolved", "c", 8],
    ],
  );
});

test("groups beyond the limit are left out, those that fire stay, and that is told", async (t) => {
  const { world, alerts, tick } = await scene(t, {
    ...threshold,
    query: "* | stats by (g) count() n",
    notify: [],
  });
  const rows = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, i) => ({ g: `g${from + i}`, n: "9" }));
  world.rows = () => rows(500, 1400);
  await tick();
  world.rows = () => [...rows(0, 1400), { g: "x".repeat(5000), n: "9" }];
  await tick();
  const groups = new Set(alerts.alerts("t").map(({ labels }) => labels["g"]));
  assert.equal(groups.size, 1000);
  assert.ok(Array.from({ length: 900 }, (_, i) => `g${500 + i}`).every((g) => groups.has(g)));
  assert.match(alerts.rules("t")[0]?.error ?? "", /401 groups/);
  assert.equal(alerts.history("t", { limit: 2000 }).length, 1000);
});

test("a rule waits pending for its time, also over a restart", async (t) => {
  const { world, alerts, id, tick, deliver } = await scene(t, { ...threshold, for: "60s" });
  world.rows = value(9);
  await tick();
  await tick();
  assert.equal(alerts.rules("t")[0]?.state, "pending");
  world.crash();
  const next = await world.open();
  world.clock.nowMs += 2 * every;
  await world.scheduler?.tick(id, world.clock.nowMs);
  assert.equal(next.rules("t")[0]?.state, "pending");
  await tick();
  assert.equal(next.rules("t")[0]?.state, "firing");
  await deliver();
  assert.equal(world.sent.length, 1);
});

test("a failing evaluation keeps the state, is shown, and is tried again when that may help", async (t) => {
  const { world, alerts, tick } = await scene(t);
  world.rows = value(9);
  await tick();
  world.rows = () => {
    throw new ServiceError("query.partial", "part of the data cannot be read now");
  };
  await assert.rejects(tick(), /part of the data/);
  assert.deepEqual(
    [alerts.rules("t")[0]?.state, alerts.rules("t")[0]?.error],
    ["firing", "part of the data cannot be read now"],
  );
  world.rows = () => {
    throw new ServiceError("query.memory", "the query needs more memory");
  };
  await tick();
  assert.match(alerts.rules("t")[0]?.error ?? "", /more memory/);
  world.rows = value(9);
  await tick();
  assert.equal(alerts.rules("t")[0]?.error, undefined);
  assert.equal(alerts.figures().evaluationFailures, 2);
});

test("a tick that comes twice, or late, is evaluated once", async (t) => {
  const { world, id, tick } = await scene(t);
  const atMs = await tick();
  await world.scheduler?.tick(id, atMs);
  await world.scheduler?.tick(id, atMs - every);
  assert.equal(world.questions.length, 1);
  assert.deepEqual(world.questions[0]?.range, { fromMs: atMs - every, toMs: atMs });
});

test("an append that fails is made again as it was, before anything else", async (t) => {
  const { world, alerts, id, tick, deliver } = await scene(t);
  world.rows = value(9);
  let failures = 2;
  world.onAppend = async (entries) => {
    if (failures-- <= 0) return;
    // As when only the acknowledgement was lost.
    world.journal.push(...entries);
    throw new Error("no acknowledgement");
  };
  await assert.rejects(tick());
  assert.equal(alerts.rules("t")[0]?.state, "inactive");
  const atMs = world.clock.nowMs;
  world.rows = value(1);
  await assert.rejects(world.scheduler?.tick(id, atMs) ?? Promise.resolve());
  await world.scheduler?.tick(id, atMs);
  assert.equal(alerts.rules("t")[0]?.state, "firing");
  await deliver();
  const [first] = world.journal;
  assert.deepEqual(world.journal[1], first);
  assert.equal(world.sent.length, 1);
});

const changes: readonly {
  readonly name: string;
  readonly change: Partial<Rule>;
  readonly told: readonly string[];
}[] = [
  { name: "another condition", change: { condition: "> 7" }, told: ["resolved", "firing"] },
  { name: "another query", change: { query: "x | stats max(n) n" }, told: ["resolved", "firing"] },
  { name: "other labels", change: { labels: { severity: "low" } }, told: [] },
  { name: "another interval", change: { every: "1m", keepFor: "1m" }, told: [] },
];

for (const { name, change, told: expected } of changes) {
  test(`a rule that gets ${name} tells ${expected.join(", ") || "nothing"}`, async (t) => {
    const { world, alerts, tick, deliver } = await scene(t);
    world.rows = value(9);
    await tick();
    await deliver();
    await world.rules.put("t", { ...ruleOf(threshold), ...change });
    await tick();
    await deliver();
    assert.deepEqual(
      told(world)
        .slice(1)
        .map(({ status }) => status),
      expected,
    );
    assert.equal(alerts.rules("t")[0]?.state, "firing");
    assert.equal(alerts.rules("t")[0]?.version, 1);
  });
}

test("a rule that is deleted resolves what fires, signed as before, and is forgotten", async (t) => {
  const notify = [{ webhook: { url: "http://one/hook", secret: "s" } }];
  const { world, alerts, tick, deliver } = await scene(t, { ...threshold, notify });
  world.rows = value(9);
  await tick();
  await world.rules.delete("t", "r");
  await until(() => world.journal.some(({ kind }) => kind === "gone"));
  await deliver();
  assert.deepEqual(
    world.sent.map(({ notification, secret }) => [notification.status, secret]),
    [
      ["firing", "s"],
      ["resolved", "s"],
    ],
  );
  assert.deepEqual([alerts.rules("t"), alerts.alerts("t")], [[], []]);
  assert.equal(JSON.stringify(world.journal).includes('"s"'), false, "no secret is written");
});

test("what was deleted or changed while nobody evaluated is resolved at the next start", async (t) => {
  const { world, tick, deliver } = await scene(t);
  const other = await world.rules.put("t", ruleOf({ ...threshold, name: "other" }));
  world.rows = value(9);
  await tick();
  await world.scheduler?.tick(other.id, world.clock.nowMs);
  await deliver();
  world.crash();
  await world.rules.delete("t", "r");
  await world.rules.put("t", ruleOf({ ...threshold, name: "other", condition: "> 100" }));
  await world.open();
  await until(() => world.scheduler?.ids.size === 2);
  await deliver();
  assert.deepEqual(
    told(world)
      .slice(2)
      .map(({ status, rule }) => `${status} ${rule}`)
      .sort(),
    ["resolved other", "resolved r"],
  );
});

test("entries that an earlier evaluator wrote behind a later one do not count", async (t) => {
  const { world, alerts, tick } = await scene(t);
  world.rows = value(9);
  const fired = await tick();
  const [entry] = world.journal;
  assert.ok(entry?.kind === "state" && fired > 0);
  await alerts.close();
  world.journal.length = 0;
  world.journal.push({ ...entry, epoch: 5, state: { ...entry.state, instances: [] }, outbox: [] });
  world.journal.push({ ...entry, epoch: 4 });
  await assert.rejects(world.open({ epoch: 4 }), /another process/);
  const next = await world.open({ epoch: 6 });
  assert.deepEqual(next.alerts("t"), []);
  assert.deepEqual([...(world.scheduler?.ids ?? [])], []);
});

test("what is old is written again, so that it outlives the journal's retention", async (t) => {
  const { world, alerts, tick } = await scene(t);
  world.rows = value(9);
  await tick();
  await alerts.close();
  world.clock.nowMs += 25 * 3_600_000;
  const next = await world.open();
  await until(() => world.journal.length === 2);
  const [first, again] = world.journal;
  assert.ok(first?.kind === "state" && again?.kind === "state");
  assert.deepEqual(again.state, first.state);
  assert.deepEqual([again.outbox, again.notifications], [first.outbox, first.notifications]);
  await next.close();
  world.journal.shift();
  const last = await world.open();
  assert.equal(last.alerts("t").length, 1);
  await deliverAll(world);
  assert.equal(world.sent.length, 1);
});

test("a test notification goes to every receiver once, and tells what each said", async (t) => {
  const notify = [{ webhook: { url: "http://one/hook" } }, { webhook: { url: "http://two/hook" } }];
  const { world, alerts } = await scene(t, { ...threshold, notify });
  world.receive = ({ url }) =>
    url.includes("two") ? Promise.reject(new Error("it answered 500")) : Promise.resolve();
  const answer = await alerts.testNotification("t", "r");
  assert.deepEqual(answer, {
    deliveries: [
      { url: "http://one/hook", delivered: true },
      { url: "http://two/hook", delivered: false, reason: "it answered 500" },
    ],
  });
  assert.equal(told(world)[0]?.rule, "r");
  await assert.rejects(alerts.testNotification("t", "none"), /no such rule/);
  await assert.rejects(alerts.testNotification("other", "r"), /no such rule/);
  assert.deepEqual(world.journal, []);
});
