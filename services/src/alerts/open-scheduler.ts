import { openRedisScheduler } from "../../../adapters/src/redis/scheduler.ts";
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
  return (handlers) =>
    url === undefined
      ? Promise.resolve(new InProcessScheduler(handlers, { clock: systemClock, logger }))
      : openRedisScheduler({ url, clusterId, logger }, handlers);
}
