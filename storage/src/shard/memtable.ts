import type { Moment } from "../../../kit/src/time.ts";
import type { ArenaOwner } from "./arena.ts";
import type { BatchRef } from "./segment-work.ts";

/** A batch that was appended: where it lies in the arena, and what queries and seals choose by. */
export interface MemoryBatch extends BatchRef {
  readonly shard: number;
  readonly epoch: number;
  readonly receiptMs: number;
  readonly rows: number;
  /** Inclusive bounds. */
  readonly timeMin: Moment;
  readonly timeMax: Moment;
  readonly tenant: string;
  readonly class: string;
  readonly internal: boolean;
}

/** The committed batches of one shard that are in no segment yet, in the order of the log. */
export class Memtable {
  readonly #arena: ArenaOwner;
  #batches: MemoryBatch[] = [];
  #rows = 0;
  #bytes = 0;
  /** When the oldest batch came here, on the monotonic clock. */
  #sinceMs: number | undefined;
  /** When the latest batch came, likewise. */
  #latestMs = Number.NEGATIVE_INFINITY;

  constructor(arena: ArenaOwner) {
    this.#arena = arena;
  }

  get batches(): readonly MemoryBatch[] {
    return this.#batches;
  }

  get rows(): number {
    return this.#rows;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get sinceMs(): number | undefined {
    return this.#sinceMs;
  }

  get latestMs(): number {
    return this.#latestMs;
  }

  /** Takes a committed batch, and with it the reference that its append retained. */
  add(batch: MemoryBatch, nowMs: number): void {
    this.#batches.push(batch);
    this.#rows += batch.rows;
    this.#bytes += batch.length;
    this.#sinceMs ??= nowMs;
    this.#latestMs = nowMs;
  }

  /** Lets go of the batches up to a position: they are in a segment now. */
  dropThrough(position: number, nowMs: number): void {
    const first = this.#batches.findIndex((batch) => batch.position > position);
    const dropped = this.#batches.splice(0, first === -1 ? this.#batches.length : first);
    for (const { offset, length, rows } of dropped) {
      this.#arena.release(offset, length);
      this.#rows -= rows;
      this.#bytes -= length;
    }
    this.#sinceMs = this.#batches.length === 0 ? undefined : nowMs;
  }
}
