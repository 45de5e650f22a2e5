// Goal: the scheduler on Redis keeps the promises of every scheduler.
// Method: the contract's stories against a real server; a crash is a scheduler whose way to the server is cut.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after } from "node:test";
import { openRedisScheduler } from "../../adapters/src/redis/scheduler.ts";
import type { Scheduler, SchedulerHandlers } from "../../alerts/src/scheduler.ts";
import { type SchedulerWorld, schedulerContract } from "../../alerts/test/scheduler-contract.ts";
import { silentLogger } from "../../kit/src/logger.ts";
import { Link } from "../servers/link.ts";
import { missingRedis, RedisServer } from "../servers/redis.ts";

const skip = missingRedis();
const server = skip === false ? await RedisServer.start() : undefined;
after(() => server?.kill());

async function world(): Promise<SchedulerWorld> {
  assert(server !== undefined);
  const { port } = server;
  const clusterId = randomUUID();
  const links = new Map<Scheduler, Link>();
  return {
    async open(handlers: SchedulerHandlers) {
      const link = await Link.to(port);
      const url = `redis://127.0.0.1:${link.port}`;
      const scheduler = await openRedisScheduler(
        { url, clusterId, logger: silentLogger },
        handlers,
      );
      links.set(scheduler, link);
      return scheduler;
    },
    abandon(scheduler) {
      links.get(scheduler)?.cut();
      return Promise.resolve();
    },
    close() {
      for (const [scheduler, link] of links) {
        link.close();
        // One that was abandoned may have calls that never end.
        void scheduler.close();
      }
      return Promise.resolve();
    },
  };
}

schedulerContract("redis", world, { isShared: true, skip: skip || undefined, patienceMs: 60_000 });
