// Goal: while the service and a Redis without a memory are killed again and again, each alert is told, and under one key.
// Method: rounds of records, each followed by deaths at different moments; the receiver's dedupe keys are held against
// what had to happen.
import assert from "node:assert/strict";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Receiver, until } from "../alerts/receiver.ts";
import { alertsOf, apply, ruleOf } from "../alerts/rules.ts";
import { missingRedis, RedisServer } from "../servers/redis.ts";
import { Service, temporaryFolder } from "../service.ts";

/** Milliseconds after the records at which Redis dies, and then the service. */
const rounds = [
  { redisMs: 0, serviceMs: 20 },
  { redisMs: 150, serviceMs: 150 },
  { redisMs: 600, serviceMs: 0 },
  { redisMs: 1500, serviceMs: 300 },
];

const skip = missingRedis();

test("alerts are told once each, whatever dies when", { skip }, async (context) => {
  const [redis, receiver] = [await RedisServer.start(), await Receiver.open()];
  const dataDir = temporaryFolder();
  const start = async (): Promise<Service> => {
    const service = await Service.start({ dataDir, env: { LOGKEEP_ALERTS_REDIS: redis.url } });
    context.after(() => service.kill());
    return service;
  };
  context.after(async () => {
    await receiver.close();
    await redis.kill();
  });
  let service = await start();
  const names = rounds.flatMap((_, i) => [`match ${i}`, `over ${i}`]);
  const rules = rounds.flatMap((_, i) => {
    // Two records make it true and a third one ends it: however long the deaths take, they do not outlast the condition.
    const query = `{service=s${i}} _time:1h | stats by (host) count() n`;
    const match = { name: `match ${i}`, query: `{service=s${i}} first`, keepFor: "2s" };
    return [
      ruleOf(match, receiver.url),
      ruleOf({ name: `over ${i}`, query, condition: "== 2", every: "1s" }, receiver.url),
    ];
  });
  await apply(service, ...rules);
  const recordsOf = (round: number, _msg: string) =>
    ["a", "b"].map((host) => ({ service: `s${round}`, host, _msg }));
  for (const [i, { redisMs, serviceMs }] of rounds.entries()) {
    const records = recordsOf(i, "first");
    // Two in both groups.
    await service.ship([...records, ...records]);
    await sleep(redisMs);
    await redis.kill();
    await sleep(serviceMs);
    await service.kill();
    await redis.restart();
    service = await start();
  }
  // One of each match, one of each group.
  const keysOf = (name: string) =>
    new Set(receiver.taken.filter((each) => each.rule === name).map((each) => each.dedupeKey));
  const haveFired = () => names.every((name) => keysOf(name).size >= (/^m/.test(name) ? 1 : 2));
  await until(haveFired, "all have fired");
  for (const i of rounds.keys()) await service.ship(recordsOf(i, "last"));
  const isTold = () => names.every((name) => keysOf(name).size >= (/^m/.test(name) ? 2 : 4));
  await until(isTold, "all have fired and resolved");
  await until(async () => (await alertsOf(service)).length === 0, "nothing is left");
  for (const name of names) {
    const hosts = /^m/.test(name) ? [""] : ["a", "b"];
    for (const host of hosts) {
      const told = receiver.taken.filter(
        ({ rule, labels }) => rule === name && (labels["host"] ?? "") === host,
      );
      const keys = new Map(told.map(({ dedupeKey, status }) => [dedupeKey, status]));
      assert.deepEqual([...keys.values()].sort(), ["firing", "resolved"], `${name} ${host}`);
    }
  }
  assert.equal(await service.stop(), 0);
});
