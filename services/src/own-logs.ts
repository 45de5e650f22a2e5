import type { Settings } from "../../config/src/schema.ts";
import type { DecodeJob } from "../../ingest/src/job.ts";
import { tenantDefault } from "./http/identity.ts";
import type { Ingest } from "./ingest.ts";
import type { TeeLogger } from "./logger.ts";

/** Lines that wait to be stored; beyond it the oldest go, since logging must never fill memory. */
const linesMax = 2000;
/** How often what was logged is stored. */
const intervalMs = 1000;

/** Keeps the service's own log as records of the stream `{service="logkeep"}`. */
export function startOwnLogs(
  logger: TeeLogger,
  ingest: Ingest,
  { node }: Settings,
): { close(): Promise<void> } {
  let lines: string[] = [];
  let busy: Promise<void> = Promise.resolve();
  const stop = logger.listen((level, fields, event) => {
    const record = {
      ...fields,
      _time: Date.now(),
      level,
      _msg: event,
      service: "logkeep",
      node: node.id,
    };
    lines.push(JSON.stringify(record, printable));
    if (lines.length > linesMax) lines = lines.slice(-linesMax);
  });
  const flush = async (): Promise<void> => {
    if (lines.length === 0) return;
    const taken = lines;
    lines = [];
    try {
      await ingest.take(jobOf(taken));
    } catch {
      // Said on stderr already; to log that it could not be kept would only make more of it.
    }
  };
  const timer = setInterval(() => {
    busy = busy.then(flush);
  }, intervalMs).unref();
  return {
    async close() {
      stop();
      clearInterval(timer);
      await busy.then(flush);
    },
  };
}

function jobOf(lines: readonly string[]): DecodeJob {
  const bytes = Buffer.from(`${lines.join("\n")}\n`);
  return {
    options: {
      protocol: "json-lines",
      encoding: "identity",
      streamFields: ["service", "node"],
      timeFields: ["_time"],
      msgFields: ["_msg"],
      extra: [],
      index: undefined,
    },
    tenant: tenantDefault,
    // In memory of its own: what Buffer gives may be a slice of a pool, which must not be moved away.
    body: new Uint8Array(bytes),
    receivedMs: Date.now(),
  };
}

function printable(_: string, value: unknown): unknown {
  if (typeof value === "bigint") return `0x${value.toString(16)}`;
  return value instanceof Error ? (value.stack ?? value.message) : value;
}
