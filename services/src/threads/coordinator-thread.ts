import { parentPort, workerData } from "node:worker_threads";
import {
  type CoordinatorOptions,
  startCoordinator,
} from "../../../coordinator/src/server/start.ts";
import { messageOf } from "../../../kit/src/errors.ts";
import type { Logger } from "../../../kit/src/logger.ts";
import type { CoordinatorThreadData, FromCoordinator, ToCoordinator } from "./coordinator-host.ts";

// The coordinator has a thread of its own: neither ingest nor a collection of garbage of the main heap
// may keep it from answering pings, or sessions would expire.

const port = parentPort;
if (port === null) throw new Error("this file is the entry of a worker thread");
const post = (message: FromCoordinator): void => port.postMessage(message);

function logAs(level: keyof Logger): (fields: object, event: string) => void {
  return (fields, event) => post({ kind: "log", level, fields: plainOf(fields), event });
}

/** Errors and bigints do not print as JSON; here they become text. */
function plainOf(fields: object): Record<string, unknown> {
  const plain: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (value instanceof Error) plain[name] = value.stack ?? value.message;
    else plain[name] = typeof value === "bigint" ? `0x${value.toString(16)}` : value;
  }
  return plain;
}

const options: CoordinatorOptions = {
  ...(workerData as CoordinatorThreadData),
  logger: {
    debug: logAs("debug"),
    info: logAs("info"),
    warn: logAs("warn"),
    error: logAs("error"),
  },
  fatal: (error: Error) => post({ kind: "fatal", message: messageOf(error) }),
};

try {
  const coordinator = await startCoordinator(options);
  port.on("message", (message: ToCoordinator) => {
    if (message.kind === "stats") post({ kind: "stats", stats: coordinator.stats() });
    else {
      coordinator.close().then(
        () => post({ kind: "closed" }),
        (thrown: unknown) => post({ kind: "fatal", message: messageOf(thrown) }),
      );
    }
  });
  post({ kind: "ready", address: coordinator.address });
} catch (thrown) {
  post({ kind: "fatal", message: messageOf(thrown) });
}
