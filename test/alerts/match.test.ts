// Goal: a record that matches a rule is told of within a second of its acknowledgement, with what is needed to act on it.
import assert from "node:assert/strict";
import test, { after, before } from "node:test";
import { Service } from "../service.ts";
import { Receiver, until } from "./receiver.ts";
import { alertsOf, apply, ask, base, historyOf, listedRule, ruleOf } from "./rules.ts";

let service: Service;
let receiver: Receiver;

before(async () => {
  service = await Service.start();
  receiver = await Receiver.open();
});

after(async () => {
  await receiver.close();
  await service.stop();
});

const of = (rule: string) => receiver.received.filter((each) => each.notification.rule === rule);

test("a match is told at once with its record, and resolved when none come any more", async (context) => {
  const name = "payments fail";
  const labels = { team: "payments" };
  const query = '{service="pay"} level:error';
  await apply(service, ruleOf({ name, query, labels, keepFor: "1h" }, receiver.url));
  const record = { service: "pay", host: "h", level: "error", _msg: "card refused" };
  await service.ship([{ ...record, level: "info" }, record]);
  const acked = performance.now();
  await until(() => of(name).length === 1, "the alert fires");
  const [fired] = of(name);
  assert.ok(fired !== undefined);
  context.diagnostic(`told ${(fired.atMs - acked).toFixed(0)} ms after the acknowledgement`);
  const { notification } = fired;
  assert.equal(notification.status, "firing");
  assert.deepEqual(notification.labels, labels);
  assert.equal(notification.count, 1);
  assert.equal(notification.endsAt, null);
  assert.deepEqual(
    notification.lines.map(({ _msg, level }) => ({ _msg, level })),
    [{ _msg: "card refused", level: "error" }],
  );
  assert.equal((await listedRule(service, name)).state, "firing");
  const [alert] = (await alertsOf(service)).filter((each) => each.rule === name);
  assert.equal(alert?.status, "firing");
  // Its end is not waited for while it is looked at.
  await apply(service, ruleOf({ name, query, labels, keepFor: "2s" }, receiver.url));
  await until(() => of(name).length === 2, "the alert resolves");
  const resolved = of(name)[1]?.notification;
  assert.equal(resolved?.status, "resolved");
  assert.equal(resolved?.startsAt, notification.startsAt);
  assert.notEqual(resolved?.dedupeKey, notification.dedupeKey);
  const lasted = Date.parse(resolved?.endsAt ?? "") - Date.parse(notification.startsAt);
  assert.ok(lasted >= 2000, `${lasted}`);
  await until(
    async () => (await alertsOf(service)).every((each) => each.rule !== name),
    "no alert",
  );
  // The receiver has it a moment before the journal says so.
  const delivered = ["resolved delivered", "firing delivered"].join();
  await until(async () => {
    const events = (await historyOf(service)).filter((each) => each.rule === name);
    const said = events.map(({ status, deliveries }) => `${status} ${deliveries[0]?.outcome}`);
    return said.join() === delivered;
  }, "the journal says that both were delivered");
});

test("no timer of seconds stands between an acknowledgement and its alert", async (context) => {
  const tookMs: number[] = [];
  // More than one where the machine is so busy that it took as long without a timer.
  for (let i = 0; i < 6 && Math.min(...tookMs) >= 2000; i++) {
    const name = `prompt ${i}`;
    await apply(service, ruleOf({ name, query: `{service=prompt${i}}` }, receiver.url));
    await service.ship([{ service: `prompt${i}`, _msg: "now" }]);
    const acked = performance.now();
    await until(() => of(name).length > 0, "the alert fires");
    tookMs.push((of(name)[0]?.atMs ?? 0) - acked);
  }
  context.diagnostic(`${tookMs.map(Math.round)} ms`);
  assert.ok(Math.min(...tookMs) < 2000);
});

test("the link of a notification leads to its records", async () => {
  const name = "linked";
  await apply(service, ruleOf({ name, query: "linked", keepFor: "1s" }, receiver.url));
  await service.ship([{ service: "l", _msg: "linked record" }]);
  await until(() => of(name).length > 0, "the alert fires");
  const link = new URL(of(name)[0]?.notification.link ?? "");
  assert.equal(link.origin, service.http);
  const page = await fetch(link, { headers: { Accept: "text/html" } });
  assert.equal(page.status, 200);
  assert.match(page.headers.get("content-type") ?? "", /^text\/html/);
  const { query = "", from = "", to = "" } = Object.fromEntries(link.searchParams);
  const rows = await service.search(query, { start: from, end: to });
  assert.deepEqual(
    rows.map((row) => row["_msg"]),
    ["linked record"],
  );
});

test("while it fires matches are counted and not told again; lines are the newest and at most ten", async () => {
  const name = "many";
  const rule = { name, query: "{service=many}" };
  await apply(service, ruleOf({ ...rule, keepFor: "1h" }, receiver.url));
  const records = (from: number, count: number) =>
    Array.from({ length: count }, (_, i) => ({ service: "many", n: `${from + i}`, _msg: "m" }));
  await service.ship(records(0, 5000));
  await until(() => of(name).length > 0, "the alert fires");
  for (let i = 0; i < 20; i++) await service.ship(records(5000 + i * 500, 500));
  const isCounted = async () => {
    const alert = (await alertsOf(service)).find((each) => each.rule === name);
    return alert?.count === 15_000;
  };
  await until(isCounted, "all are counted");
  await apply(service, ruleOf({ ...rule, keepFor: "1s" }, receiver.url));
  await until(() => of(name).some((each) => each.notification.status === "resolved"), "resolved");
  assert.deepEqual(
    of(name).map(({ notification }) => notification.status),
    ["firing", "resolved"],
  );
  assert.equal(of(name)[0]?.notification.lines.length, 10);
  assert.equal(of(name)[1]?.notification.count, 15_000);
});

test("a rule that is deleted resolves what it fired", async () => {
  const name = "deleted";
  await apply(service, ruleOf({ name, query: "deleted", keepFor: "1h" }, receiver.url));
  await service.ship([{ service: "d", _msg: "deleted" }]);
  await until(() => of(name).length === 1, "the alert fires");
  const { status } = await ask(service, `${base}/rules/${name}`, { method: "DELETE" });
  assert.equal(status, 204);
  await until(() => of(name).length === 2, "the alert resolves");
  assert.equal(of(name)[1]?.notification.status, "resolved");
});

test("metrics tell what alerts do", async () => {
  let text = "";
  const value = (name: string): number => {
    const line = text.split("\n").find((each) => each.startsWith(`${name} `));
    return Number(line?.slice(name.length + 1) ?? Number.NaN);
  };
  // That a receiver took a notification is noted a moment after it did.
  await until(async () => {
    text = await (await fetch(`${service.http}/metrics`)).text();
    return value("logkeep_alerts_outbox_waiting") === 0;
  }, "nothing waits to be delivered");
  assert.ok(value("logkeep_alerts_rules") >= 3);
  assert.ok(value("logkeep_alerts_matched_total") >= 15_000);
  assert.ok(value('logkeep_alerts_notifications_total{outcome="delivered"}') >= 6);
  for (const name of ["pending", "firing", "evaluations_total", "evaluation_seconds_total"]) {
    assert.ok(value(`logkeep_alerts_${name}`) >= 0, name);
  }
});
