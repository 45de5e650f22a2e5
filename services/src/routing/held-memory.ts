/** What a router knows of one shard for which it holds records, and of all that it holds. Times are monotonic milliseconds. */
export class HeldMemory {
  readonly #bytesMax: number;
  readonly #movingMs: number;
  /** By shard: since when nothing that was tried there was done. */
  readonly #failingSinceMs = new Map<number, number>();
  #bytes = 0;

  /**
   * `bytesMax`: what may be held for shards that take nothing for longer than `movingMs`. A move or the death of an owner is over
   * sooner, and what is held for it is bounded by the memory that all records share.
   */
  constructor(bytesMax: number, movingMs: number) {
    this.#bytesMax = bytesMax;
    this.#movingMs = movingMs;
  }

  served(shard: number): void {
    this.#failingSinceMs.delete(shard);
  }

  failed(shard: number, nowMs: number): void {
    if (!this.#failingSinceMs.has(shard)) this.#failingSinceMs.set(shard, nowMs);
  }

  /** Whether a request with so many bytes would keep others out, whose shards take records, for one of these that does not. */
  isTooMuch(bytes: number, shards: Iterable<number>, nowMs: number): boolean {
    if (this.#bytes + bytes <= this.#bytesMax) return false;
    for (const shard of shards) {
      const sinceMs = this.#failingSinceMs.get(shard);
      if (sinceMs !== undefined && nowMs - sinceMs > this.#movingMs) return true;
    }
    return false;
  }

  async during(bytes: number, held: Promise<void>): Promise<void> {
    this.#bytes += bytes;
    try {
      await held;
    } finally {
      this.#bytes -= bytes;
    }
  }
}
