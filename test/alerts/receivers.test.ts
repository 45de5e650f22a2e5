// Goal: a receiver that is down, slow or broken loses nothing, and harms no other one.
import assert from "node:assert/strict";
import test, { after, before, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Service, temporaryFolder } from "../service.ts";
import { Receiver, until } from "./receiver.ts";
import { apply, ask, base, historyOf, ruleOf } from "./rules.ts";

const dataDir = temporaryFolder();
let service: Service;
/** Longer than anybody waits here, so that whoever waited for a receiver that never answers would be late. */
const patient = { LOGKEEP_ALERTS_DELIVERY_TIMEOUT_MS: "300000" };
const hasty = { LOGKEEP_ALERTS_DELIVERY_TIMEOUT_MS: "1000" };
const start = (env: Record<string, string> = patient): Promise<Service> =>
  Service.start({ dataDir, env });

before(async () => {
  service = await start();
});

after(() => service.stop());

/** A receiver that ends with its test, however that ends. */
async function open(context: TestContext): Promise<Receiver> {
  const receiver = await Receiver.open();
  context.after(() => receiver.close());
  return receiver;
}

async function fire(name: string, ...urls: readonly string[]): Promise<void> {
  await apply(service, ruleOf({ name, query: `{service="${name}"}`, keepFor: "1h" }, ...urls));
  await service.ship([{ service: name, _msg: "it happened" }]);
}

const outcomesOf = async (name: string): Promise<(string | undefined)[]> => {
  const events = (await historyOf(service)).filter((each) => each.rule === name);
  return events.flatMap(({ deliveries }) => deliveries.map(({ outcome }) => outcome));
};

test("a receiver that is down gets its notification when it is back, the other one at once", async (context) => {
  const [down, up] = [await open(context), await open(context)];
  await down.close();
  await fire("down", down.url, up.url);
  await until(() => up.taken.length === 1, "the other one is told");
  const isHalf = async (): Promise<boolean> =>
    String((await outcomesOf("down")).toSorted()) === "delivered,waiting";
  await until(isHalf, "one is told, the other waits");
  await down.listen();
  await until(() => down.taken.length === 1, "it is told when it is back");
  assert.deepEqual(down.keys, up.keys);
  await until(async () => !(await outcomesOf("down")).includes("waiting"), "it is done");
});

test("answers of 500 are tried again, others are final", async (context) => {
  const [failing, refusing] = [await open(context), await open(context)];
  failing.answer = () => (failing.received.length < 3 ? 500 : 200);
  refusing.answer = () => 410;
  await fire("answers", failing.url, refusing.url);
  await until(() => failing.taken.length === 1, "the failing one takes it");
  assert.equal(failing.received.length, 4);
  assert.deepEqual(
    new Set(failing.received.map(({ notification }) => notification.dedupeKey)).size,
    1,
  );
  await until(async () => (await outcomesOf("answers")).includes("refused"), "the other refuses");
  assert.equal(refusing.received.length, 1);
});

test("a receiver that never answers holds nobody else up, nor the end of the service", async (context) => {
  const [slow, quick] = [await open(context), await open(context)];
  slow.answer = () => new Promise(() => undefined);
  await fire("slow", slow.url);
  for (let i = 0; i < 5; i++) await fire(`quick${i}`, quick.url);
  await until(() => quick.taken.length === 5, "the others are told");
  // The stop that waited for it would be cut short.
  assert.equal(await service.stop(), 0);
  slow.answer = () => 200;
  service = await start();
  await until(() => slow.taken.length > 0, "it is told after the restart");
});

test("hundreds of receivers that never answer hold nobody else up", async (context) => {
  const [slow, quick] = [await open(context), await open(context)];
  slow.answer = () => new Promise(() => undefined);
  const rules = Array.from({ length: 120 }, (_, i) =>
    ruleOf(
      { name: `many${i}`, query: "{service=many}", keepFor: "1h" },
      ...Array.from({ length: 8 }, (_, j) => `${slow.url}/${i}/${j}`),
    ),
  );
  await apply(service, ...rules);
  await service.ship([{ service: "many", _msg: "it happened" }]);
  const isWaiting = async (): Promise<boolean> => (await outcomesOf("many119")).length === 8;
  await until(isWaiting, "the last of them waits");
  await fire("apart", quick.url);
  await until(() => quick.taken.length === 1, "the other one is told");
});

test("tests of rules whose receivers never answer are few at once, and hold up no notification", async (context) => {
  const [slow, quick] = [await open(context), await open(context)];
  slow.answer = () => new Promise(() => undefined);
  await service.stop();
  service = await start(hasty);
  const urls = Array.from({ length: 8 }, (_, j) => `${slow.url}/${j}`);
  await apply(service, ruleOf({ name: "tested", query: "{service=tested}" }, ...urls));
  const path = `${base}/rules/tested/test`;
  const tests = Array.from({ length: 20 }, () => ask(service, path, { method: "POST" }));
  await fire("meanwhile", quick.url);
  await until(() => quick.taken.length > 0, "it is told");
  const statuses = (await Promise.all(tests)).map(({ status }) => status);
  assert.deepEqual([...new Set(statuses)].sort(), [200, 429]);
  assert.equal((await ask(service, path, { method: "POST" })).status, 200);
});

test("what cannot be delivered in time is given up and told in the history", async () => {
  await service.stop();
  service = await start({ ...hasty, LOGKEEP_ALERTS_DELIVERY_RETRY_MS: "2000" });
  let attempts = 0;
  // On a busy machine the time may be up before the second attempt.
  for (let i = 0; attempts < 2; i++) {
    const name = `never${i}`;
    await fire(name, "http://127.0.0.1:1/nobody");
    await until(async () => (await outcomesOf(name)).includes("expired"), "it expires");
    const [event] = (await historyOf(service)).filter((each) => each.rule === name);
    assert.ok((event?.deliveries[0]?.reason ?? "") !== "");
    attempts = event?.deliveries[0]?.attempts ?? 0;
    assert.ok(attempts > 1 || i < 10, "it was tried once only");
  }
});

test("private addresses are refused where the settings say so", async (context) => {
  const receiver = await open(context);
  await service.stop();
  service = await start({ LOGKEEP_ALERTS_PRIVATE_WEBHOOKS: "deny" });
  await fire("private", receiver.url);
  await until(async () => (await outcomesOf("private")).includes("refused"), "it is refused");
  await sleep(200);
  assert.equal(receiver.received.length, 0);
});
