import {
  strainCalmMs,
  strainCalmMsMax,
  strainLookMs,
  strainSyncs,
  strainWindowMs,
} from "./limits.ts";

/** Why a disk is strained. */
export type Strain = "full" | "slow";

/** What is seen of a disk. */
export interface DiskSigns {
  readonly isFull: () => boolean;
  readonly syncs: {
    slowMs(asked: { readonly boundMs: number; readonly withinMs: number }): number;
    forget(): void;
  };
}

/**
 * Whether a disk is too full or too slow to own shards on. It begins at once and ends after a calm time, twice as long each
 * time that it comes back soon: shards do not go to and fro with a disk that is slow now and then.
 */
export class DiskStrain {
  readonly #signs: DiskSigns;
  readonly #slowSyncMs: number;
  #strain: Strain | undefined;
  #lookedMs = Number.POSITIVE_INFINITY;
  #seenMs = Number.NEGATIVE_INFINITY;
  #endedMs = Number.NEGATIVE_INFINITY;
  #calmMs = strainCalmMs;

  /** `slowSyncMs`: a sync is slow beyond this. */
  constructor(signs: DiskSigns, slowSyncMs: number) {
    this.#signs = signs;
    this.#slowSyncMs = slowSyncMs;
  }

  get strain(): Strain | undefined {
    return this.#strain;
  }

  /** Looks, every `strainLookMs`; `nowMs` is monotonic. Returns whether the strain is another. */
  look(nowMs: number): boolean {
    const stoodMs = nowMs - this.#lookedMs;
    this.#lookedMs = nowMs;
    if (stoodMs > 3 * strainLookMs) this.#signs.syncs.forget();
    const before = this.#strain;
    const seen = this.#seen();
    if (seen !== undefined) {
      if (before === undefined) this.#begins(nowMs);
      this.#strain = seen;
      this.#seenMs = nowMs;
    } else if (before !== undefined && nowMs >= this.#seenMs + this.#calmMs) {
      this.#strain = undefined;
      this.#endedMs = nowMs;
    }
    return this.#strain !== before;
  }

  #seen(): Strain | undefined {
    const { isFull, syncs } = this.#signs;
    if (isFull()) return "full";
    const boundMs = this.#slowSyncMs;
    const slowMs = syncs.slowMs({ boundMs, withinMs: strainWindowMs });
    return slowMs >= strainSyncs * boundMs ? "slow" : undefined;
  }

  #begins(nowMs: number): void {
    const isAgain = nowMs < this.#endedMs + 2 * this.#calmMs;
    this.#calmMs = isAgain ? Math.min(2 * this.#calmMs, strainCalmMsMax) : strainCalmMs;
  }
}
