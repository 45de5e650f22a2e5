import { dedupeGenerationMs, dedupeWindowMs } from "./limits.ts";

/** What was stored between two log times. */
export interface Generation<T> {
  readonly startMs: number;
  lastMs: number;
  readonly table: T;
}

/** Of so many generations before the newest the last entry is as old as the window, or older. */
const generationsMax = 1 + Math.ceil(dedupeWindowMs / dedupeGenerationMs);

/**
 * Tables of what a shard knows for ten minutes of log time at least: time of receipt as the entries say it. They leave by generations, one
 * for each that begins: an outage, or a clock that jumps ahead, is a gap in that time, however long, and ages what is in them by one
 * generation, so that who repeats after it what was not answered before it is still known.
 */
export class Generations<T> {
  #all: readonly Generation<T>[] = [];
  readonly #make: () => T;

  constructor(make: () => T) {
    this.#make = make;
  }

  /** Newest first. */
  get all(): readonly Generation<T>[] {
    return this.#all;
  }

  /** Where what is stored at a log time belongs; `logMs` never goes back. */
  at(logMs: number): T {
    let newest = this.#all[0];
    if (newest === undefined || logMs >= newest.startMs + dedupeGenerationMs) {
      newest = { startMs: logMs, lastMs: logMs, table: this.#make() };
      this.#all = [newest, ...this.#all.slice(0, generationsMax - 1)];
    }
    newest.lastMs = Math.max(newest.lastMs, logMs);
    return newest.table;
  }

  /** Forgets what is older than the window at a log time, for the sake of room. */
  expire(logMs: number): void {
    this.#all = this.#all.filter(({ lastMs }) => lastMs >= logMs - dedupeWindowMs);
  }

  /** Takes what a checkpoint kept, newest first. */
  restore(all: readonly Generation<T>[]): void {
    this.#all = all;
  }
}
