import { randomUUID } from "node:crypto";
import type { OrderedRecords } from "./ordered-records.ts";
import type { RecordsChunk } from "./sink.ts";

interface Kept {
  readonly records: OrderedRecords;
  readonly bytes: number;
  /** Its query's flag: not zero once the query has ended. */
  readonly cancelled: Int32Array;
}

/**
 * Rows that a worker has brought into order and not answered yet, kept for the next piece of work of their part: so much
 * in bytes, the least recently used go. Whoever asks for what has gone evaluates its part again.
 */
export class KeptRecords {
  readonly #bytesMax: number;
  /** Insertion order is order of use. */
  readonly #kept = new Map<string, Kept>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Bytes held, near enough. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The next rows; those behind them are kept. */
  next(records: OrderedRecords, cancelled: Int32Array): RecordsChunk {
    const id = randomUUID();
    const chunk = records.next(id);
    if (chunk.rest !== undefined) this.#keep(id, { records, bytes: records.byteSize, cancelled });
    return chunk;
  }

  /** What was kept under a chunk's `rest`, which the caller has then. */
  take(rest: string): OrderedRecords | undefined {
    const kept = this.#kept.get(rest);
    if (kept !== undefined) this.#drop(rest, kept);
    return kept?.records;
  }

  /** Lets go of what belongs to queries that have ended. */
  dropEnded(): void {
    for (const [rest, kept] of this.#kept) {
      if (Atomics.load(kept.cancelled, 0) !== 0) this.#drop(rest, kept);
    }
  }

  #keep(rest: string, kept: Kept): void {
    this.dropEnded();
    if (kept.bytes > this.#bytesMax) return;
    this.#kept.set(rest, kept);
    this.#bytes += kept.bytes;
    for (const [oldest, each] of this.#kept) {
      if (this.#bytes <= this.#bytesMax) return;
      this.#drop(oldest, each);
    }
  }

  #drop(rest: string, { bytes }: Kept): void {
    this.#kept.delete(rest);
    this.#bytes -= bytes;
  }
}
