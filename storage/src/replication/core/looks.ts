import { lookRetryMs } from "./limits.ts";
import type { Effect } from "./types.ts";

/**
 * Readings of the shard's znodes behind a barrier write. One is under way at a time; who asks meanwhile gets one that
 * begins later, since what it is about may have happened after the barrier.
 */
export class Looks {
  readonly #emit: (effect: Effect) => void;
  readonly #began: () => void;
  #look = 0;
  #isUnderWay = false;
  #isWantedAgain = false;
  #retryAtMs: number | undefined;

  constructor(emit: (effect: Effect) => void, began: () => void) {
    this.#emit = emit;
    this.#began = began;
  }

  /** When a failed one is tried again. */
  get wakeAtMs(): number | undefined {
    return this.#retryAtMs;
  }

  get isWanted(): boolean {
    return this.#isUnderWay || this.#retryAtMs !== undefined;
  }

  want(): void {
    if (this.#isUnderWay) this.#isWantedAgain = true;
    else this.#begin();
  }

  /** Whether the answer is one that all who asked may go by. */
  answered(look: number): boolean {
    if (!this.#isUnderWay || look !== this.#look) return false;
    this.#isUnderWay = false;
    if (!this.#isWantedAgain) return true;
    this.#begin();
    return false;
  }

  failed(look: number, nowMs: number): void {
    if (!this.#isUnderWay || look !== this.#look) return;
    this.#isUnderWay = false;
    this.#retryAtMs = nowMs + lookRetryMs;
  }

  tick(nowMs: number): void {
    if (this.#retryAtMs !== undefined && nowMs >= this.#retryAtMs) this.#begin();
  }

  #begin(): void {
    this.#look++;
    this.#isUnderWay = true;
    this.#isWantedAgain = false;
    this.#retryAtMs = undefined;
    this.#began();
    this.#emit({ kind: "look", look: this.#look });
  }
}
