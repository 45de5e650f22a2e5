// Goal: thresholds fire, wait, hold and resolve as their rules say, group by group.
// Method: conditions over spans of ten seconds and more, which no pause of a busy machine outlasts; most of the time passes with
// waiting, so all tests run side by side.
import assert from "node:assert/strict";
import test, { after, before, suite } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Notification } from "../../alerts/src/notification.ts";
import { Service } from "../service.ts";
import { Receiver, until } from "./receiver.ts";
import { alertsOf, apply, listedRule, ruleOf } from "./rules.ts";

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

const of = (rule: string): Notification[] =>
  receiver.taken.filter((each) => each.rule === rule) as Notification[];
const has = (rule: string, status: string) => () => of(rule).some((each) => each.status === status);

/** Ships one record now and then, until it is told to stop. */
function shipping(record: Readonly<Record<string, string>>): { stop(): Promise<void> } {
  let isOver = false;
  const running = (async () => {
    while (!isOver) {
      await service.ship([record, record, record]);
      await sleep(100);
    }
  })();
  return {
    stop: () => {
      isOver = true;
      return running;
    },
  };
}

suite("thresholds", { concurrency: 4 }, () => {
  test("a threshold fires with value, lines and labels when its condition holds, and resolves when it does not", async () => {
    const name = "too many errors";
    const query = "{service=t1} level:error _time:10s | stats by (host) count() n";
    const rule = { name, query, condition: "> 3", every: "1s", labels: { severity: "page" } };
    await apply(service, ruleOf(rule, receiver.url));
    const noise = shipping({ service: "t1", host: "a", level: "error", _msg: "boom" });
    await service.ship([{ service: "t1", host: "b", level: "error", _msg: "once" }]);
    await until(has(name, "firing"), "it fires");
    const [fired] = of(name);
    assert.deepEqual(fired?.labels, { severity: "page", host: "a" });
    assert.ok((fired?.count ?? 0) > 3);
    assert.ok((fired?.lines.length ?? 0) > 0);
    assert.ok(fired?.lines.every((line) => line["host"] === "a" && line["_msg"] === "boom"));
    await noise.stop();
    await until(has(name, "resolved"), "it resolves");
    assert.deepEqual(
      of(name).map(({ status, labels }) => [status, labels["host"]]),
      [
        ["firing", "a"],
        ["resolved", "a"],
      ],
    );
  });

  test("with `for` it is pending first, and nobody is told of what does not last", async () => {
    const query = "{service=t2} _time:10s | stats count() n";
    const passing = { name: "passing", query, condition: "> 0", every: "1s", for: "1h" };
    await apply(service, ruleOf(passing, receiver.url));
    const moment = shipping({ service: "t2", _msg: "a moment" });
    const isPending = async () =>
      (await alertsOf(service)).some(
        (each) => each.rule === "passing" && each.status === "pending",
      );
    await until(isPending, "it is pending");
    await moment.stop();
    await until(async () => !(await isPending()), "it is over");
    assert.deepEqual(of("passing"), []);
    const rule = { name: "lasting", query, condition: "> 0", every: "1s", for: "4s" };
    await apply(service, ruleOf(rule, receiver.url));
    const noise = shipping({ service: "t2", _msg: "all the time" });
    await until(has("lasting", "firing"), "it fires");
    const alert = (await alertsOf(service)).find((each) => each.rule === "lasting");
    assert.ok(alert?.startsAt !== undefined);
    assert.ok(Date.parse(alert.startsAt) - Date.parse(alert.activeAt) >= 4000);
    await noise.stop();
    await until(has("lasting", "resolved"), "it resolves");
  });

  test("with `keepFor` a gap does not resolve it", async () => {
    const query = "{service=t3} | stats count() n";
    const rule = { name: "kept", query, condition: "> 0", every: "1s", keepFor: "20s" };
    await apply(service, ruleOf(rule, receiver.url));
    await service.ship([{ service: "t3", _msg: "one" }]);
    await until(has("kept", "firing"), "it fires");
    // Two evaluations without a record.
    await sleep(2500);
    await service.ship([{ service: "t3", _msg: "two" }]);
    await sleep(3500);
    assert.deepEqual(
      of("kept").map(({ status }) => status),
      ["firing"],
    );
    await until(has("kept", "resolved"), "it resolves");
    const [fired, resolved] = of("kept");
    const lasted = Date.parse(resolved?.endsAt ?? "") - Date.parse(fired?.startsAt ?? "");
    assert.ok(lasted >= 22_000, `${lasted}`);
  });

  test("a rule over a quiet service fires on nothing", async () => {
    const query = "{service=t4} _time:15s | stats count() n";
    const rule = { name: "silence", query, condition: "< 1", every: "1s" };
    const noise = shipping({ service: "t4", _msg: "alive" });
    await until(async () => (await service.count("{service=t4}")) > 0, "it lives");
    // The first moment that a rule looks at may be a second before it was made.
    await sleep(2500);
    await apply(service, ruleOf(rule, receiver.url));
    await until(
      async () => (await listedRule(service, "silence")).evaluatedAt !== undefined,
      "it was evaluated",
    );
    await sleep(4500);
    assert.deepEqual(of("silence"), []);
    await noise.stop();
    await until(has("silence", "firing"), "it fires");
  });
});
