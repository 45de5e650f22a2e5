import type { AlertsOptions } from "../../../alerts/src/engine.ts";
import { InProcessScheduler } from "../../../alerts/src/scheduler-in-process.ts";
import type { Settings } from "../../../config/src/schema.ts";
import { systemClock } from "../../../kit/src/clock.ts";
import type { Logger } from "../../../kit/src/logger.ts";

/** Who says when: this process. */
export function schedulerOpener(
  _settings: Settings,
  logger: Logger,
): AlertsOptions["openScheduler"] {
  return (handlers) =>
    Promise.resolve(new InProcessScheduler(handlers, { clock: systemClock, logger }));
}
