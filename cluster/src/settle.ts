import { setTimeout as sleep } from "node:timers/promises";

import { isZooKeeperError, type ZooKeeperErrorName } from "../../coordinator/src/client/errors.ts";
import { ServiceError } from "../../kit/src/errors.ts";
import { retryMs } from "./limits.ts";

/** Say nothing about the state of a znode: the question is asked again, which waits for a connection. */
const passing: readonly ZooKeeperErrorName[] = [
  "CONNECTIONLOSS",
  "SESSIONEXPIRED",
  "SESSIONMOVED",
  "OPERATIONTIMEOUT",
  "REQUESTTIMEOUT",
  "THROTTLEDOP",
  "BUSY",
];

/** Whether the coordinator may simply be asked again. */
export function isPassing(thrown: unknown): boolean {
  return isZooKeeperError(thrown, ...passing);
}

/**
 * Does something that may be repeated until it was done. Waits without the coordinator; rejects with
 * `coordinator.unavailable` when the client is closed, and with anything else that is thrown.
 */
export async function settle<T>(deed: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await deed();
    } catch (thrown) {
      if (!isPassing(thrown)) throw failureOf(thrown);
      if (!isZooKeeperError(thrown, "CONNECTIONLOSS", "SESSIONEXPIRED")) await sleep(retryMs);
    }
  }
}

/** What to throw on: `coordinator.unavailable` when the client was closed, else what was thrown. */
export function failureOf(thrown: unknown): unknown {
  if (!isZooKeeperError(thrown, "CLOSED")) return thrown;
  const text = "the cluster is closed";
  return new ServiceError("coordinator.unavailable", text, {}, { cause: thrown });
}
