import type { AlertsOptions } from "../../../alerts/src/engine.ts";
import { InProcessScheduler } from "../../../alerts/src/scheduler-in-process.ts";
import type { Settings } from "../../../config/src/schema.ts";
import { systemClock } from "../../../kit/src/clock.ts";
import type { Logger } from "../../../kit/src/logger.ts";

/** Who says when: Redis where the settings name one, which may be away now and later; else this process. */
export function schedulerOpener(
  { alerts }: Settings,
  clusterId: string,
  logger: Logger,
): AlertsOptions["openScheduler"] {
  const { redis: url } = alerts;
  return async (handlers) => {
    if (url === undefined) return new InProcessScheduler(handlers, { clock: systemClock, logger });
    // BullMQ costs memory and a moment: only those who have a Redis have it.
    const { openRedisScheduler } = await import("../../../adapters/src/redis/scheduler.ts");
    return openRedisScheduler({ url, clusterId, logger }, handlers);
  };
}
