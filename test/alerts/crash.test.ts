// Goal: whatever step the service dies at, each firing and each resolve arrives, and none under two dedupe keys.
// Method: the service kills itself (LOGKEEP_CRASH_AT) at a step on the way from a record to its notification, starts again on the
// same data, and the receiver's distinct dedupe keys are held against what had to happen.
import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import path from "node:path";
import test, { suite, type TestContext } from "node:test";
import { Service, temporaryFolder } from "../service.ts";
import { Receiver, until } from "./receiver.ts";
import { alertsOf, apply, historyOf, ruleOf } from "./rules.ts";

const folder = temporaryFolder();

suite("matches", { concurrency: 2 }, () => {
  for (const point of ["alerts.matched", "alerts.journalled", "alerts.sent", "alerts.done"]) {
    for (const nth of [1, 2]) {
      const how = `when the service dies at ${point} for the ${nth}. time`;
      test(`matches are told once each ${how}`, (context) => tellMatches(context, point, nth));
    }
  }
});

suite("thresholds", { concurrency: 8 }, () => {
  for (const point of ["alerts.evaluated", "alerts.journalled", "alerts.sent", "alerts.done"]) {
    for (const nth of [1, 2]) {
      const how = `when the service dies at ${point} for the ${nth}. time`;
      test(`a threshold is told once ${how}`, (context) => tellThreshold(context, point, nth));
    }
  }
});

async function tellMatches(context: TestContext, point: string, nth: number): Promise<void> {
  const given = await prepare(
    context,
    ...["a", "b"].map((service) => ({
      ...{ name: `rule ${service}`, query: `{service="${service}"}`, keepFor: "2s" },
    })),
  );
  const { receiver, armed, again } = await given.arm(point, nth);
  for (const service of ["a", "b"]) {
    // The death may come before the answer.
    await armed.ship([{ service, _msg: `match of ${service}` }]).catch(() => undefined);
  }
  const service = await again();
  // Acknowledged or not: what is there has to be told.
  const stored = new Set((await service.search("match")).map((row) => row["service"]));
  assert.ok(stored.size > 0);
  await until(() => receiver.keys.size >= 2 * stored.size, "all have fired and resolved");
  await until(() => isSettled(service), "nothing is on its way");
  const once = ["firing", "resolved"];
  assert.deepEqual([...storyOf(receiver).values()], Array<string[]>(stored.size).fill(once));
  for (const { status, count, rule } of receiver.taken) assert.equal(count, 1, `${rule} ${status}`);
}

async function tellThreshold(context: TestContext, point: string, nth: number): Promise<void> {
  // One record makes it true and the next one ends it: however long a restart takes, it does not outlast the condition.
  const query = "{service=t} _time:1h | stats count() n";
  const given = await prepare(context, { name: "over", query, condition: "== 1", every: "1s" });
  const { receiver, armed, again } = await given.arm(point, nth);
  // The death may come before the answer.
  const ship = (to: Service): Promise<unknown> => to.ship([{ service: "t", _msg: "over" }]);
  await ship(armed).catch(() => undefined);
  await until(() => receiver.keys.size > 0 || !armed.isRunning, "it fires, or the service dies");
  if (armed.isRunning) await ship(armed).catch(() => undefined);
  const service = await again();
  if ((await service.count("over")) === 0) await ship(service);
  await until(() => receiver.keys.size > 0, "it has fired");
  if ((await service.count("over")) === 1) await ship(service);
  await until(() => receiver.keys.size > 1, "it has resolved");
  await until(() => isSettled(service), "nothing is on its way");
  assert.deepEqual([...storyOf(receiver).values()], [["firing", "resolved"]]);
}

interface Armed {
  readonly receiver: Receiver;
  readonly armed: Service;
  /** Waits for the death, and starts anew. */
  again(): Promise<Service>;
}

/** A data directory with rules, made before anything goes wrong. */
async function prepare(
  context: TestContext,
  ...rules: readonly (Record<string, unknown> & { readonly name: string })[]
): Promise<{ arm(point: string, nth: number): Promise<Armed> }> {
  const dataDir = mkdtempSync(path.join(folder, "data-"));
  const receiver = await Receiver.open();
  context.after(() => receiver.close());
  const start = async (env: Record<string, string> = {}): Promise<Service> => {
    const service = await Service.start({ dataDir, env });
    context.after(() => service.kill());
    return service;
  };
  const setup = await start();
  await apply(setup, ...rules.map((rule) => ruleOf(rule, receiver.url)));
  assert.equal(await setup.stop(), 0);
  return {
    arm: async (point, nth) => {
      const armed = await start({ LOGKEEP_CRASH_AT: `${point}:${nth}` });
      return {
        receiver,
        armed,
        again: async () => {
          await until(() => !armed.isRunning, `it dies at ${point}`);
          assert.equal(armed.child.signalCode, "SIGKILL");
          return start();
        },
      };
    },
  };
}

/** What was told of each alert, by its id: it has to have fired and resolved, each under one key. */
function storyOf(receiver: Receiver): Map<string, string[]> {
  const story = new Map<string, string[]>();
  for (const key of receiver.keys) {
    const [, alert = key, status = ""] = /^(.*)-(firing|resolved)$/.exec(key) ?? [];
    story.set(alert, [...(story.get(alert) ?? []), status].toSorted());
  }
  return story;
}

async function isSettled(service: Service): Promise<boolean> {
  const deliveries = (await historyOf(service)).flatMap((event) => event.deliveries);
  const isWaiting = deliveries.some(({ outcome }) => outcome === "waiting");
  return !isWaiting && (await alertsOf(service)).length === 0;
}
