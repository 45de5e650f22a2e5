import { KeyTable } from "./key-table.ts";
import { dedupeGenerationMs, dedupeKeysMax, dedupeWindowMs } from "./limits.ts";

interface Generation {
  readonly startMs: number;
  lastMs: number;
  readonly table: KeyTable;
}

/** A generation as the checkpoint keeps it. */
export interface DedupeSnapshot {
  readonly startMs: number;
  readonly lastMs: number;
  readonly keys: Uint32Array;
  readonly positions: Float64Array;
}

/** Of so many generations before the newest the last key is as old as the window, or older. */
const generationsMax = 1 + Math.ceil(dedupeWindowMs / dedupeGenerationMs);

/**
 * The dedupe keys of a shard and where they were stored, for ten minutes of log time at least: time of receipt as the entries say
 * it. Keys leave by generations, one for each that begins: an outage, or a clock that jumps ahead, is a gap in that time, however
 * long, and ages keys by one generation, so that who repeats after it what was not answered before it is still known.
 */
export class DedupeTable {
  /** Newest first. */
  #generations: Generation[] = [];

  get size(): number {
    return this.#generations.reduce((sum, { table }) => sum + table.size, 0);
  }

  /** No new key may come in until old ones have aged. */
  get isFull(): boolean {
    return this.size >= dedupeKeysMax;
  }

  /** Forgets what is older than the window at a log time, for the sake of room. */
  expire(logMs: number): void {
    this.#generations = this.#generations.filter(({ lastMs }) => lastMs >= logMs - dedupeWindowMs);
  }

  find(key: Uint8Array): number | undefined {
    for (const { table } of this.#generations) {
      const position = table.find(key);
      if (position !== undefined) return position;
    }
    return undefined;
  }

  /** `logMs` never goes back. */
  insert(key: Uint8Array, position: number, logMs: number): void {
    let newest = this.#generations[0];
    if (newest === undefined || logMs >= newest.startMs + dedupeGenerationMs) {
      newest = { startMs: logMs, lastMs: logMs, table: new KeyTable() };
      this.#generations = [newest, ...this.#generations.slice(0, generationsMax - 1)];
    }
    newest.lastMs = Math.max(newest.lastMs, logMs);
    newest.table.insert(key, position);
  }

  /** What was stored up to a position, oldest first. */
  snapshot(through: number): DedupeSnapshot[] {
    return this.#generations
      .map(({ startMs, lastMs, table }) => ({ startMs, lastMs, ...table.snapshot(through) }))
      .reverse();
  }

  restore(snapshot: readonly DedupeSnapshot[]): void {
    this.#generations = [];
    for (const { startMs, lastMs, keys, positions } of snapshot) {
      const table = new KeyTable();
      const bytes = new Uint8Array(keys.buffer, keys.byteOffset, keys.byteLength);
      for (let i = 0; i < positions.length; i++) {
        table.insert(bytes.subarray(i * 16, i * 16 + 16), positions[i]!);
      }
      this.#generations.unshift({ startMs, lastMs, table });
    }
  }
}
