import { Worker } from "node:worker_threads";
import type {
  CoordinatorOptions,
  CoordinatorStats,
} from "../../../coordinator/src/server/start.ts";
import { ServiceError } from "../../../kit/src/errors.ts";
import type { Logger } from "../../../kit/src/logger.ts";
import { threadEntry } from "./entry.ts";

/** Settings of the coordinator that can be posted to its thread. */
export type CoordinatorThreadData = Omit<CoordinatorOptions, "logger" | "fatal">;

export type ToCoordinator = { readonly kind: "stats" } | { readonly kind: "close" };

export type FromCoordinator =
  | { readonly kind: "ready"; readonly address: { readonly host: string; readonly port: number } }
  | {
      readonly kind: "log";
      readonly level: keyof Logger;
      readonly fields: object;
      readonly event: string;
    }
  | { readonly kind: "stats"; readonly stats: CoordinatorStats }
  | { readonly kind: "fatal"; readonly message: string }
  | { readonly kind: "closed" };

/** The coordinator in its thread. */
export interface CoordinatorHost {
  readonly address: { readonly host: string; readonly port: number };
  stats(): Promise<CoordinatorStats>;
  close(): Promise<void>;
}

/** Megabytes of heap: znodes of a large tree live outside of it, requests in flight inside. */
const heapMaxMb = 1024;

/**
 * Starts the coordinator in a thread of its own. Rejects when it cannot serve; `fatal` is called
 * when it ends later without having been asked to.
 */
export async function startCoordinatorThread(
  data: CoordinatorThreadData,
  logger: Logger,
  fatal: (error: ServiceError) => void,
): Promise<CoordinatorHost> {
  const worker = new Worker(threadEntry("coordinator-thread"), {
    name: "coordinator",
    workerData: data,
    resourceLimits: { maxOldGenerationSizeMb: heapMaxMb },
  });
  const listeners = new Map<FromCoordinator["kind"], ((message: FromCoordinator) => void)[]>();
  const once = <Kind extends FromCoordinator["kind"]>(kind: Kind) =>
    new Promise<Extract<FromCoordinator, { kind: Kind }>>((resolve) => {
      const waiting = listeners.get(kind) ?? [];
      waiting.push((message) => resolve(message as Extract<FromCoordinator, { kind: Kind }>));
      listeners.set(kind, waiting);
    });
  let isClosing = false;
  const failed = new Promise<never>((_, reject) => {
    const fail = (message: string): void => {
      const error = new ServiceError("coordinator.unavailable", message);
      reject(error);
      if (!isClosing) fatal(error);
    };
    worker.on("error", (error: Error) => fail(error.message));
    worker.on("exit", (code) => fail(`the coordinator's thread ended with ${code}`));
    worker.on("message", (message: FromCoordinator) => {
      if (message.kind === "log") logger[message.level](message.fields, message.event);
      else if (message.kind === "fatal") fail(`the coordinator: ${message.message}`);
      for (const resolve of listeners.get(message.kind)?.splice(0) ?? []) resolve(message);
    });
  });
  failed.catch(() => undefined);
  const ready = await Promise.race([once("ready"), failed]);
  return {
    address: ready.address,
    stats: async () => {
      const answer = once("stats");
      worker.postMessage({ kind: "stats" } satisfies ToCoordinator);
      return (await Promise.race([answer, failed])).stats;
    },
    close: async () => {
      isClosing = true;
      const closed = once("closed");
      worker.postMessage({ kind: "close" } satisfies ToCoordinator);
      await Promise.race([closed, failed]);
      await worker.terminate();
    },
  };
}
