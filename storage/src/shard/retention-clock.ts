import type { Clock } from "../../../kit/src/clock.ts";
import type { Logger } from "../../../kit/src/logger.ts";
import { clockDoubtMs, clockFloorMs } from "./limits.ts";
import type { Shard } from "./shard.ts";

export interface RetentionClockOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** The time on which most nodes agree; undefined while they do not. Without it this node's clock counts alone. */
  readonly agreedMs: (() => number | undefined) | undefined;
  readonly shards: readonly Shard[];
}

/**
 * The time by which records grow old. One wrong clock must not drop what others would keep: while nodes do not agree,
 * nothing grows older.
 */
export class RetentionClock {
  readonly #options: RetentionClockOptions;
  #disagreeSinceMs: number | undefined;
  #isTold = false;

  constructor(options: RetentionClockOptions) {
    this.#options = options;
  }

  /** Whether nothing is dropped for its age, and has not been for longer than nodes need to hear of each other. */
  get isWaiting(): boolean {
    return this.#isTold;
  }

  /** Milliseconds since the epoch; undefined while nothing may be dropped for its age. */
  nowMs(): number | undefined {
    const { agreedMs } = this.#options;
    const nowMs = agreedMs === undefined ? this.#ownMs() : agreedMs();
    this.#note(nowMs !== undefined);
    return nowMs;
  }

  /**
   * A clock that was set back a little is not taken to be before what it received. Not by more: then it was ahead, and
   * what it received counts as little as it did.
   */
  #ownMs(): number {
    const { clock, shards } = this.#options;
    const nowMs = clock.now();
    let newestMs = 0;
    for (const { segments } of shards) {
      for (const { entry } of segments.all) {
        for (const { receiptMsMax } of entry.partitions) {
          if (receiptMsMax > newestMs) newestMs = receiptMsMax;
        }
      }
    }
    return newestMs <= nowMs + clockFloorMs ? Math.max(nowMs, newestMs) : nowMs;
  }

  #note(isAgreed: boolean): void {
    const { clock, logger } = this.#options;
    if (isAgreed) {
      if (this.#isTold) logger.info({}, "clocks of most nodes agree again: retention goes on");
      this.#isTold = false;
      this.#disagreeSinceMs = undefined;
      return;
    }
    const nowMs = clock.monotonicMs();
    this.#disagreeSinceMs ??= nowMs;
    if (this.#isTold || nowMs < this.#disagreeSinceMs + clockDoubtMs) return;
    this.#isTold = true;
    logger.warn({}, "clocks of most nodes do not agree: nothing is dropped for its age");
  }
}
