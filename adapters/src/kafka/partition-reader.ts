import { committedOf } from "./committed.ts";
import type { FetchedMessage, FetchedPartition } from "./kafkajs-cluster.ts";
import { batchesHeldMax } from "./limits.ts";
import { offsetAfter } from "./positions.ts";

/** Messages of one partition, in the order of their offsets. */
export interface KafkaBatch {
  readonly partition: number;
  /** With those before it, everything below this offset. */
  readonly next: number;
  /** Of each message; messages without a value are left out. */
  readonly offsets: Float64Array;
  /** Its timestamp in milliseconds since the epoch. */
  readonly timesMs: Float64Array;
  readonly values: readonly Uint8Array[];
  /** Of all values. */
  readonly bytes: number;
}

export interface PartitionReaderOptions {
  readonly partition: number;
  readonly at: number;
  /** Resolves when all of the batch is stored. Rejects only when it never will be by this reader. */
  readonly store: (batch: KafkaBatch) => Promise<void>;
  /** Told that a batch is no longer held. */
  readonly onFreed: (bytes: number) => void;
}

/** One partition: what was fetched of it and not stored yet, stored one batch after the other. */
export class PartitionReader {
  readonly partition: number;
  /** Fetched, and not decoded by the client: how often in a row. */
  decodeFailures = 0;
  highWatermark: number;
  readonly #options: PartitionReaderOptions;
  #next: number;
  #stored: number;
  #held = 0;
  #stopped: string | undefined;
  #isBroken = false;
  #storing: Promise<void> = Promise.resolve();

  constructor(options: PartitionReaderOptions) {
    this.#options = options;
    this.partition = options.partition;
    this.#next = options.at;
    this.#stored = options.at;
    this.highWatermark = options.at;
  }

  /** The offset to fetch. */
  get next(): number {
    return this.#next;
  }

  /** Everything below this offset is stored. */
  get stored(): number {
    return this.#stored;
  }

  /** Why it is not read any more. */
  get stopped(): string | undefined {
    return this.#stopped;
  }

  get hasRoom(): boolean {
    return this.#stopped === undefined && this.#held < batchesHeldMax;
  }

  /** Takes what was fetched at `next`; returns the bytes that are held from now on. */
  take(fetched: FetchedPartition): number {
    const { partition } = this.#options;
    this.decodeFailures = 0;
    this.highWatermark = Math.max(this.highWatermark, Number(fetched.highWatermark));
    if (this.#stopped !== undefined || fetched.messages.length === 0) return 0;
    const messages = committedOf(fetched, this.#next);
    const full = messages.filter(({ value }) => value !== null && value.length > 0);
    const values = full.map(({ value }) => value as Buffer);
    this.#next = offsetAfter(this.#next, fetched.messages);
    const batch: KafkaBatch = {
      partition,
      next: this.#next,
      offsets: Float64Array.from(full, ({ offset }) => Number(offset)),
      timesMs: Float64Array.from(full, timeOf),
      values,
      bytes: values.reduce((sum, { length }) => sum + length, 0),
    };
    this.#held++;
    this.#storing = this.#storing.then(() => this.#store(batch));
    return batch.bytes;
  }

  /** Goes on at another offset: what lay between is not there any more. */
  skipTo(offset: number): void {
    this.#next = offset;
  }

  /** Reads it no more; what is held is still stored. */
  stop(reason: string): void {
    this.#stopped ??= reason;
  }

  /** Resolves when nothing is held. */
  settled(): Promise<void> {
    return this.#storing;
  }

  async #store(batch: KafkaBatch): Promise<void> {
    try {
      // Behind one that was not stored none may be.
      if (!this.#isBroken) await this.#options.store(batch);
      if (!this.#isBroken) this.#stored = batch.next;
    } catch {
      this.#isBroken = true;
      this.stop("a batch was not stored");
    } finally {
      this.#held--;
      this.#options.onFreed(batch.bytes);
    }
  }
}

/** Producers from before Kafka 0.10 give none. */
function timeOf({ timestamp }: FetchedMessage): number {
  const timeMs = Number(timestamp);
  return timeMs >= 0 ? timeMs : Date.now();
}
