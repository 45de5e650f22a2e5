import { type DestinationStream, pino } from "pino";
import type { Logger } from "../../kit/src/logger.ts";

export interface LogOptions {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly pretty: boolean;
}

export type LogListener = (level: keyof Logger, fields: object, event: string) => void;

/** A logger whose events others can have, too. */
export interface TeeLogger extends Logger {
  level: LogOptions["level"];
  /** Returns how to stop. */
  listen(listener: LogListener): () => void;
}

/** Own logs go to stderr: stdout is for the ready line and for what people pipe. */
export async function createLogger({ level, pretty }: LogOptions): Promise<TeeLogger> {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  const target = pretty ? await prettyTarget() : pino.destination({ dest: 2, sync: true });
  const log = pino(options, target);
  const listeners = new Set<LogListener>();
  const at = (name: keyof Logger) => (fields: object, event: string) => {
    if (!log.isLevelEnabled(name)) return;
    log[name](fields, event);
    for (const listener of listeners) listener(name, fields, event);
  };
  return {
    get level() {
      return log.level as LogOptions["level"];
    },
    set level(level) {
      log.level = level;
    },
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** Loaded only for a terminal. */
async function prettyTarget(): Promise<DestinationStream> {
  const { PinoPretty } = await import("pino-pretty");
  return PinoPretty({
    destination: 2,
    sync: true,
    translateTime: "SYS:HH:MM:ss.l",
    ignore: "pid",
  });
}
