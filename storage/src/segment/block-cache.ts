import { cacheBytesDefault } from "../format/limits.ts";

/** What is kept: decoded columns and headers, or chunks of a file, which columns share while they are decoded. */
export type KeptKind = "column" | "chunk";

/**
 * Decoded columns and headers of segments and what they were read from, of one worker: at most so many bytes, the least
 * recently used go first. A pass over many blocks drives out chunks or columns, but never more than half of the room of
 * the other kind. What is handed out stays valid when it leaves the cache.
 */
export class BlockCache {
  readonly #bytesMax: number;
  readonly #columns = new KeptEntries();
  readonly #chunks = new KeptEntries();
  #hits = 0;
  #misses = 0;

  constructor(bytesMax: number = cacheBytesDefault) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#columns.bytes + this.#chunks.bytes;
  }

  get hits(): number {
    return this.#hits;
  }

  get misses(): number {
    return this.#misses;
  }

  /** Whether a column or what belongs to one is kept. */
  has(key: string): boolean {
    return this.#columns.has(key);
  }

  /** What was kept under the key, or what `make` makes, kept if it fits. */
  get<T>(
    key: string,
    make: () => { readonly value: T; readonly bytes: number },
    kind: KeptKind = "column",
  ): T {
    const entries = kind === "chunk" ? this.#chunks : this.#columns;
    const known = entries.use(key);
    if (known !== undefined) {
      this.#hits++;
      // One key is only ever used for one type.
      return known.value as T;
    }
    this.#misses++;
    const made = make();
    // One huge column must not empty the cache for everything else.
    if (made.bytes <= this.#bytesMax / 4) {
      entries.add(key, made);
      this.#evict();
    }
    return made.value;
  }

  #evict(): void {
    while (this.bytes > this.#bytesMax) {
      const isChunk = this.#chunks.bytes * 2 > this.#bytesMax;
      (isChunk ? this.#chunks : this.#columns).dropOldest();
    }
  }
}

interface Kept {
  readonly value: unknown;
  readonly bytes: number;
}

class KeptEntries {
  bytes = 0;
  /** Insertion order is order of use. */
  readonly #entries = new Map<string, Kept>();

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  use(key: string): Kept | undefined {
    const known = this.#entries.get(key);
    if (known === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, known);
    return known;
  }

  add(key: string, made: Kept): void {
    // Making it may have made it already, by way of another column.
    this.bytes += made.bytes - (this.#entries.get(key)?.bytes ?? 0);
    this.#entries.set(key, made);
  }

  dropOldest(): void {
    for (const [key, { bytes }] of this.#entries) {
      this.#entries.delete(key);
      this.bytes -= bytes;
      return;
    }
  }
}
