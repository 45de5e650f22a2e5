import assert from "node:assert/strict";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { systemClock } from "../../kit/src/clock.ts";
import { silentLogger } from "../../kit/src/logger.ts";
import type { SchedulerHandlers } from "../src/scheduler.ts";
import { InProcessScheduler } from "../src/scheduler-in-process.ts";
import { schedulerContract } from "./scheduler-contract.ts";

const options = { clock: systemClock, logger: silentLogger };

schedulerContract(
  "in process",
  () => {
    const opened: InProcessScheduler[] = [];
    return Promise.resolve({
      open(handlers: SchedulerHandlers) {
        const scheduler = new InProcessScheduler(handlers, options);
        opened.push(scheduler);
        return Promise.resolve(scheduler);
      },
      // Its memory goes with its process: closing without waiting leaves nothing behind either.
      abandon(scheduler) {
        void scheduler.close();
        return Promise.resolve();
      },
      close() {
        for (const scheduler of opened) void scheduler.close();
        return Promise.resolve();
      },
    });
  },
  { isShared: false },
);

test("in process: many rules of one interval are evaluated a few at a time", async () => {
  let running = 0;
  let runningMost = 0;
  const ticked = new Set<string>();
  const scheduler = new InProcessScheduler(
    {
      async onTick({ rule }) {
        running++;
        runningMost = Math.max(runningMost, running);
        await sleep(1);
        running--;
        ticked.add(rule);
      },
      onDelivery: () => Promise.resolve(undefined),
    },
    { ...options, ticksAtOnce: 4 },
  );
  const rules = Array.from({ length: 1000 }, (_, i) => ({ rule: `r${i}`, everyMs: 15_000 }));
  await scheduler.schedule(rules);
  while (ticked.size < 1000) await sleep(10);
  assert.equal(runningMost, 4);
  await scheduler.close();
});

test("in process: a rule that was removed and came back waits for its old call", async () => {
  let running = 0;
  let runningMost = 0;
  let calls = 0;
  const scheduler = new InProcessScheduler(
    {
      async onTick() {
        calls++;
        running++;
        runningMost = Math.max(runningMost, running);
        await sleep(100);
        running--;
      },
      onDelivery: () => Promise.resolve(undefined),
    },
    options,
  );
  const schedules = [{ rule: "a", everyMs: 60_000 }];
  await scheduler.schedule(schedules);
  await scheduler.schedule([]);
  await scheduler.schedule(schedules);
  while (calls < 2) await sleep(10);
  assert.equal(runningMost, 1);
  await scheduler.close();
});

test("in process: a clock that was set back does not stop the ticks", async () => {
  let offsetMs = 0;
  const seen: number[] = [];
  const scheduler = new InProcessScheduler(
    {
      onTick: ({ atMs }) => {
        seen.push(atMs);
        return Promise.resolve();
      },
      onDelivery: () => Promise.resolve(undefined),
    },
    {
      ...options,
      clock: { ...systemClock, now: () => systemClock.now() + offsetMs },
    },
  );
  await scheduler.schedule([{ rule: "a", everyMs: 100 }]);
  while (seen.length < 2) await sleep(10);
  offsetMs = -3_600_000;
  const count = seen.length;
  while (seen.length < count + 3) await sleep(10);
  assert.ok((seen.at(-1) as number) < Date.now() - 3_500_000);
  await scheduler.close();
});
