import type { AlertRecord, MatchBatch, MatchSource } from "../../../alerts/src/ports.ts";
import type {
  MatchedRecords,
  MatchSubscription,
} from "../../../query/src/tail/match-subscription.ts";
import { parseTail } from "../question.ts";
import type { TailService } from "../tail-service.ts";
import { matchLinesBytesMax, matchProgressMs, matchReplayMs } from "./limits.ts";

type FollowOptions = Parameters<MatchSource["follow"]>[0];
type OnBatch = Parameters<MatchSource["follow"]>[1];

/**
 * Follows committed records for match rules. A progress is a tail's id: the position of each shard up to which everything
 * was counted. What was committed behind it while nobody followed is read from the store first.
 */
export class TailMatchSource implements MatchSource {
  readonly #tails: TailService;

  constructor(tails: TailService) {
    this.#tails = tails;
  }

  async follow(options: FollowOptions, onBatch: OnBatch): Promise<void> {
    let { after } = options;
    const keepProgress = async (batch: MatchBatch): Promise<void> => {
      await onBatch(batch);
      after = batch.progress;
    };
    try {
      // Begun again behind the last batch where a worker failed on an entry.
      while (!options.signal.aborted) await this.#followFrom(after, options, keepProgress);
    } catch (thrown) {
      if (!options.signal.aborted) throw thrown;
    }
  }

  /** Returns when the signal aborts, and when an entry could not be matched. */
  async #followFrom(
    after: string | undefined,
    { tenant, query, linesMax: keep, signal }: FollowOptions,
    onBatch: OnBatch,
  ): Promise<void> {
    const subscription = await this.#tails.watch({
      ...{ tenant, query: parseTail(query, Date.now()), progress: after },
      ...{ keep, linesBytesMax: matchLinesBytesMax },
    });
    try {
      const how = { keep, timeoutMs: matchReplayMs };
      await this.#tails.replayMatches(subscription, how, signal);
      // The first one also says where this begins, so that a crash before any match loses none.
      for (let isDue = true; !signal.aborted; isDue = await changed(subscription, signal)) {
        if (subscription.isBroken) return;
        const matched = subscription.hasMatches || isDue ? subscription.take() : undefined;
        if (matched !== undefined) await onBatch(batchOf(matched));
      }
    } finally {
      this.#tails.unwatch(subscription);
    }
  }
}

function batchOf({ count, lines, progress }: MatchedRecords): MatchBatch {
  return { count, lines: lines.map(recordOf), progress };
}

function recordOf(line: Uint8Array): AlertRecord {
  const text = Buffer.from(line.buffer, line.byteOffset, line.byteLength).toString();
  return JSON.parse(text) as AlertRecord;
}

/** Waits for matches, for a break, or until a progress is due, which is what it says; or for the signal. */
async function changed(subscription: MatchSubscription, signal: AbortSignal): Promise<boolean> {
  if (subscription.hasMatches || subscription.isBroken) return false;
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const onAbort = (): void => resolve(false);
  const timer = setTimeout(() => resolve(true), matchProgressMs);
  subscription.onReady(() => resolve(false));
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
    subscription.onReady(() => undefined);
  }
}
