// Goal: with alerts.redis the same alerts are told, and a Redis that is away harms nothing but their pace.
import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import path from "node:path";
import test, { suite, type TestContext } from "node:test";
import { Receiver, until } from "../alerts/receiver.ts";
import { alertsOf, apply, ruleOf } from "../alerts/rules.ts";
import { missingRedis, RedisServer } from "../servers/redis.ts";
import { Service, temporaryFolder } from "../service.ts";

const skip = missingRedis();
const folder = temporaryFolder();

async function given(context: TestContext): Promise<{ redis: RedisServer; receiver: Receiver }> {
  const [redis, receiver] = [await RedisServer.start({ isDurable: true }), await Receiver.open()];
  context.after(async () => {
    await receiver.close();
    await redis.kill();
  });
  return { redis, receiver };
}

async function start(
  context: TestContext,
  redis: RedisServer,
  {
    dataDir = mkdtempSync(path.join(folder, "data-")),
    ...env
  }: { dataDir?: string; LOGKEEP_CRASH_AT?: string } = {},
): Promise<Service> {
  const service = await Service.start({
    dataDir,
    env: { LOGKEEP_ALERTS_REDIS: redis.url, ...env },
  });
  context.after(() => service.kill());
  return service;
}

const statusesOf = (receiver: Receiver, rule: string): string[] =>
  receiver.taken.filter((each) => each.rule === rule).map(({ status }) => status);

/** One record makes it true and the next one ends it: whatever is away, and however long, does not outlast the condition. */
const threshold = {
  ...{ name: "over", query: "{service=t} _time:1h | stats count() n" },
  ...{ condition: "== 1", every: "1s" },
};

const over = [{ service: "t", _msg: "over" }];

test("matches and thresholds are told through Redis", { skip }, async (context) => {
  const { redis, receiver } = await given(context);
  const service = await start(context, redis);
  const match = { name: "match", query: "{service=m}", keepFor: "1s" };
  await apply(service, ruleOf(match, receiver.url), ruleOf(threshold, receiver.url));
  await service.ship([{ service: "m", _msg: "x" }]);
  const acked = performance.now();
  await until(() => statusesOf(receiver, "match").length > 0, "the match fires");
  const [first] = receiver.received;
  context.diagnostic(
    `told ${((first?.atMs ?? 0) - acked).toFixed(0)} ms after the acknowledgement`,
  );
  await service.ship(over);
  await until(() => statusesOf(receiver, "over").length > 0, "the threshold fires");
  await service.ship(over);
  for (const rule of ["match", "over"]) {
    await until(() => statusesOf(receiver, rule).includes("resolved"), `${rule} resolves`);
    assert.deepEqual(statusesOf(receiver, rule), ["firing", "resolved"]);
  }
  assert.equal(await service.stop(), 0);
});

test("a Redis that is away at the start or later holds up alerts and nothing else", {
  skip,
}, async (context) => {
  const { redis, receiver } = await given(context);
  await redis.kill();
  const service = await start(context, redis);
  await apply(service, ruleOf(threshold, receiver.url));
  await service.ship(over);
  assert.equal(await service.count("{service=t}"), 1);
  assert.deepEqual(await alertsOf(service), []);
  await redis.restart();
  await until(
    () => statusesOf(receiver, "over").includes("firing"),
    "it fires when Redis is there",
  );
  await redis.kill();
  await service.ship(over);
  await redis.restart();
  await until(() => statusesOf(receiver, "over").includes("resolved"), "it resolves");
  assert.deepEqual(statusesOf(receiver, "over"), ["firing", "resolved"]);
  await redis.kill();
  assert.equal(await service.stop(), 0);
});

suite("through Redis", { concurrency: 4, skip }, () => {
  for (const point of ["alerts.evaluated", "alerts.journalled", "alerts.sent", "alerts.done"]) {
    test(`a threshold is told once when the service dies at ${point}`, async (context) => {
      const { redis, receiver } = await given(context);
      const dataDir = mkdtempSync(path.join(folder, "data-"));
      const setup = await start(context, redis, { dataDir });
      await apply(setup, ruleOf(threshold, receiver.url));
      assert.equal(await setup.stop(), 0);
      const armed = await start(context, redis, { dataDir, LOGKEEP_CRASH_AT: point });
      // The death may come before the answer.
      await armed.ship(over).catch(() => undefined);
      await until(() => !armed.isRunning, `it dies at ${point}`);
      const service = await start(context, redis, { dataDir });
      if ((await service.count("over")) === 0) await service.ship(over);
      await until(() => receiver.keys.size > 0, "it has fired");
      await service.ship(over);
      await until(() => receiver.keys.size > 1, "it has resolved");
      const statuses = [...receiver.keys].map((key) => key.split("-").at(-1));
      assert.deepEqual(statuses, ["firing", "resolved"]);
    });
  }
});
