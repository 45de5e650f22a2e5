import { Generations } from "./generations.ts";
import { KeyTable } from "./key-table.ts";
import { dedupeKeysMax } from "./limits.ts";

/** A generation as the checkpoint keeps it. */
export interface DedupeSnapshot {
  readonly startMs: number;
  readonly lastMs: number;
  readonly keys: Uint32Array;
  readonly positions: Float64Array;
}

/** The dedupe keys of a shard and where they were stored, for as long as `Generations` says. */
export class DedupeTable {
  readonly #generations = new Generations(() => new KeyTable());
  readonly #keysMax: number;

  /** Beyond `keysMax` keys it `isFull`. */
  constructor(keysMax = dedupeKeysMax) {
    this.#keysMax = keysMax;
  }

  get size(): number {
    return this.#generations.all.reduce((sum, { table }) => sum + table.size, 0);
  }

  /** No new key may come in until old ones have aged. */
  get isFull(): boolean {
    return this.size >= this.#keysMax;
  }

  /** Forgets what is older than the window at a log time, for the sake of room. */
  expire(logMs: number): void {
    this.#generations.expire(logMs);
  }

  find(key: Uint8Array): number | undefined {
    for (const { table } of this.#generations.all) {
      const position = table.find(key);
      if (position !== undefined) return position;
    }
    return undefined;
  }

  /** `logMs` never goes back. */
  insert(key: Uint8Array, position: number, logMs: number): void {
    this.#generations.at(logMs).insert(key, position);
  }

  /** What was stored up to a position, oldest first. */
  snapshot(through: number): DedupeSnapshot[] {
    return this.#generations.all
      .map(({ startMs, lastMs, table }) => ({ startMs, lastMs, ...table.snapshot(through) }))
      .reverse();
  }

  restore(snapshot: readonly DedupeSnapshot[]): void {
    const generations = snapshot.map(({ startMs, lastMs, keys, positions }) => {
      const table = new KeyTable();
      const bytes = new Uint8Array(keys.buffer, keys.byteOffset, keys.byteLength);
      for (let i = 0; i < positions.length; i++) {
        table.insert(bytes.subarray(i * 16, i * 16 + 16), positions[i]!);
      }
      return { startMs, lastMs, table };
    });
    this.#generations.restore(generations.reverse());
  }
}
