import { cacheBytesDefault } from "../format/limits.ts";

/**
 * Decoded columns and headers of segments, of one worker: at most so many bytes, the least recently
 * used go first. What is handed out stays valid when it leaves the cache.
 */
export class BlockCache {
  readonly #bytesMax: number;
  /** Insertion order is order of use. */
  readonly #entries = new Map<string, { readonly value: unknown; readonly bytes: number }>();
  #bytes = 0;
  #hits = 0;
  #misses = 0;

  constructor(bytesMax: number = cacheBytesDefault) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get hits(): number {
    return this.#hits;
  }

  get misses(): number {
    return this.#misses;
  }

  /** What was kept under the key, or what `make` makes, kept if it fits. */
  get<T>(key: string, make: () => { readonly value: T; readonly bytes: number }): T {
    const known = this.#entries.get(key);
    if (known !== undefined) {
      this.#hits++;
      this.#entries.delete(key);
      this.#entries.set(key, known);
      // One key is only ever used for one type.
      return known.value as T;
    }
    this.#misses++;
    const made = make();
    // One huge column must not empty the cache for everything else.
    if (made.bytes <= this.#bytesMax / 4) {
      this.#entries.set(key, made);
      this.#bytes += made.bytes;
      this.#evict();
    }
    return made.value;
  }

  #evict(): void {
    for (const [key, { bytes }] of this.#entries) {
      if (this.#bytes <= this.#bytesMax) return;
      this.#entries.delete(key);
      this.#bytes -= bytes;
    }
  }
}
