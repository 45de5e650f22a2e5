import { ServiceError } from "../../../kit/src/errors.ts";
import type { PartialMessage } from "../../../query/src/engine/fragment.ts";

/** One way to have a piece of a query answered. Rejects with a `ServiceError` when it cannot be had so. */
export type Attempt = (signal: AbortSignal) => Promise<PartialMessage>;

/** When another attempt may begin beside the first. */
export interface Lateness {
  /** Milliseconds after its beginning at which the first counts as late; asked again when they are over. */
  lateMs(): number;
  /** Whether another may begin now. */
  take(): boolean;
}

interface Failed {
  readonly thrown: unknown;
}

/**
 * The first whole answer: the attempts are begun in turn, each when the one before it has failed or found damage, and the second also when the
 * first is late. What is still under way then is cancelled, so no more than one answer is ever used. Without a whole
 * one, the first that lacks something; rejects with the first failure when none answers at all, and with any that is the
 * query's own fault.
 */
export async function firstWhole(
  attempts: readonly Attempt[],
  signal: AbortSignal,
  lateness: Lateness | undefined,
): Promise<PartialMessage> {
  const left = [...attempts];
  const abort = new AbortController();
  const leave = (): void => abort.abort(signal.reason);
  signal.addEventListener("abort", leave, { once: true });
  const running = new Set<Promise<PartialMessage | Failed>>();
  const begin = (): void => {
    const outcome = settled(left.shift() as Attempt, abort.signal);
    running.add(outcome);
    void outcome.then(() => running.delete(outcome));
  };
  let best: PartialMessage | undefined;
  let failure: ServiceError | undefined;
  let watch = lateness;
  const beganMs = performance.now();
  try {
    begin();
    for (;;) {
      const leftMs = watch && left.length > 0 ? watch.lateMs() - (performance.now() - beganMs) : 0;
      const outcome = await firstOf(running, watch && left.length > 0 ? leftMs : undefined);
      signal.throwIfAborted();
      if (outcome === "late") {
        if (watch !== undefined && performance.now() - beganMs >= watch.lateMs()) {
          if (watch.take()) begin();
          watch = undefined;
        }
        continue;
      }
      if ("thrown" in outcome) {
        if (!mayPassElsewhere(outcome.thrown)) throw outcome.thrown;
        failure ??= outcome.thrown;
      } else if (isWhole(outcome)) return outcome;
      else best ??= outcome;
      if (left.length > 0) begin();
      else if (running.size === 0) break;
    }
  } finally {
    signal.removeEventListener("abort", leave);
    abort.abort();
  }
  if (best !== undefined) return best;
  throw failure as ServiceError;
}

async function settled(attempt: Attempt, signal: AbortSignal): Promise<PartialMessage | Failed> {
  try {
    return await attempt(signal);
  } catch (thrown) {
    return { thrown };
  }
}

/** The next of them that has an outcome, or that so many milliseconds are over. */
async function firstOf<T>(
  running: ReadonlySet<Promise<T>>,
  lateMs: number | undefined,
): Promise<T | "late"> {
  if (lateMs === undefined) return Promise.race(running);
  const late = Promise.withResolvers<"late">();
  const timer = setTimeout(() => late.resolve("late"), Math.max(1, lateMs));
  try {
    return await Promise.race([...running, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** What a node or its disk is to blame for, not the query. */
function mayPassElsewhere(thrown: unknown): thrown is ServiceError {
  if (!(thrown instanceof ServiceError)) return false;
  const { code } = thrown;
  const isNodes = code.startsWith("peer.") || code.startsWith("storage.");
  // The cut was let go of, since the node could not be reached for a while; the other holds as many cuts as it may.
  return isNodes || code === "query.timeout" || code === "query.busy";
}

/** What the query itself is refused for is refused everywhere; what a disk fails at, another copy may have. */
function isWhole(message: PartialMessage): boolean {
  if (message.kind === "failed") return !message.code.startsWith("storage.");
  return message.damaged.length === 0;
}
