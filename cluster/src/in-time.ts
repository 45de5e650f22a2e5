import type { ZooKeeperClient } from "../../coordinator/src/client/client.ts";
import { isOutcomeUnknown, isZooKeeperError } from "../../coordinator/src/client/errors.ts";
import { ServiceError } from "../../kit/src/errors.ts";
import { personWaitMs } from "./limits.ts";
import { isPassing } from "./settle.ts";

/**
 * Does what a person waits for: `personWaitMs` at most, and never later. Rejects with `coordinator.unavailable` when the coordinator has
 * not answered by then, which says whether it may have been done; and with whatever else `deed` throws. What `deed` asks
 * with the signal is withdrawn where it was not sent.
 */
export async function inTime<T>(
  client: ZooKeeperClient,
  deed: (signal: AbortSignal) => Promise<T>,
  waitMs: number = personWaitMs,
): Promise<T> {
  const signal = AbortSignal.timeout(waitMs);
  try {
    await client.connected({ signal });
  } catch (thrown) {
    throw unavailable(false, waitMs, thrown);
  }
  const late = Promise.withResolvers<never>();
  const abort = (): void => late.reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([deed(signal), late.promise]);
  } catch (thrown) {
    const isLate = signal.aborted && thrown === signal.reason;
    if (!isLate && !isPassing(thrown) && !isZooKeeperError(thrown, "CLOSED")) throw thrown;
    throw unavailable(isLate || isOutcomeUnknown(thrown), waitMs, thrown);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

function unavailable(mayBeDone: boolean, waitedMs: number, cause: unknown): ServiceError {
  const what = mayBeDone
    ? "the coordinator has not answered; whether it was done is not known"
    : "the coordinator does not answer; nothing was changed";
  return new ServiceError("coordinator.unavailable", what, { waitedMs }, { cause });
}
