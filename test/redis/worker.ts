// A process with a scheduler on Redis, for tests that kill it: `node worker.ts URL CLUSTER RULE,RULE ID,ID`.
// Prints a line for each call that it finished. A delivery is done at its second attempt.
import { setTimeout as sleep } from "node:timers/promises";
import { openRedisScheduler } from "../../adapters/src/redis/scheduler.ts";
import { silentLogger } from "../../kit/src/logger.ts";

const [url = "", clusterId = "", rules = "", ids = ""] = process.argv.slice(2);

const scheduler = await openRedisScheduler(
  { url, clusterId, logger: silentLogger },
  {
    async onTick({ rule, atMs }) {
      await sleep(100);
      console.log(`tick ${rule} ${atMs}`);
    },
    async onDelivery(id, attempt) {
      await sleep(700);
      if (attempt < 2) return 500;
      console.log(`delivery ${id}`);
      return undefined;
    },
  },
);
for (const id of ids.split(",").filter(Boolean)) await scheduler.deliver(id);
await scheduler.schedule(rules.split(",").map((rule) => ({ rule, everyMs: 1000 })));
console.log("ready");
