import { pino } from "pino";
import { PinoPretty } from "pino-pretty";
import type { Logger } from "../../kit/src/logger.ts";

export interface LogOptions {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly pretty: boolean;
}

/** Own logs go to stderr: stdout is for the ready line and for what people pipe. */
export function createLogger({ level, pretty }: LogOptions): Logger {
  const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  const target = pretty
    ? PinoPretty({ destination: 2, sync: true, translateTime: "SYS:HH:MM:ss.l", ignore: "pid" })
    : pino.destination({ dest: 2, sync: true });
  const log = pino(options, target);
  return {
    debug: (fields, event) => log.debug(fields, event),
    info: (fields, event) => log.info(fields, event),
    warn: (fields, event) => log.warn(fields, event),
    error: (fields, event) => log.error(fields, event),
  };
}
