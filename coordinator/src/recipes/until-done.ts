import { pause } from "../../../kit/src/pause.ts";
import type { ZooKeeperClient } from "../client/client.ts";
import { isZooKeeperError, type ZooKeeperErrorName } from "../client/errors.ts";
import { retryMs } from "./limits.ts";

/** Say nothing about the znodes that were asked about. */
const passing: readonly ZooKeeperErrorName[] = [
  "CONNECTIONLOSS",
  "SESSIONEXPIRED",
  "SESSIONMOVED",
  "OPERATIONTIMEOUT",
  "REQUESTTIMEOUT",
  "THROTTLEDOP",
  "NOTREADONLY",
  "BUSY",
];

/** Whether the same may simply be asked again. */
export function isPassing(thrown: unknown): boolean {
  return isZooKeeperError(thrown, ...passing);
}

/**
 * Does what may be repeated until it is done, through lost connections and sessions. Rejects with the signal's reason, with
 * CLOSED, and with what else is thrown.
 */
export async function untilDone<T>(deed: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  for (;;) {
    signal?.throwIfAborted();
    try {
      return await abortable(deed(), signal);
    } catch (thrown) {
      if (!isPassing(thrown)) throw thrown;
      // After these the next request waits for a connection by itself.
      if (!isZooKeeperError(thrown, "CONNECTIONLOSS", "SESSIONEXPIRED")) {
        await pause(retryMs, signal);
      }
    }
  }
}

/** Settles with the promise, or rejects with the signal's reason; the work goes on without us then. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

/** Settles with the promise, or resolves once there is no connection that it could go on with. */
export async function whileConnected(
  client: ZooKeeperClient,
  promise: Promise<unknown>,
): Promise<void> {
  if (!client.isConnected) return;
  const { promise: lost, resolve } = Promise.withResolvers<void>();
  const stop = client.onSession(({ kind }) => {
    if (kind === "suspended" || kind === "closed") resolve();
  });
  await Promise.race([promise, lost]).finally(stop);
}
