import { setTimeout as sleep } from "node:timers/promises";
import type { PartitionKnown } from "../../../adapters/src/kafka/positions.ts";
import type { KafkaBatch, KafkaSink } from "../../../adapters/src/kafka/source.ts";
import type { DecodeOptions } from "../../../ingest/src/job.ts";
import { crashPoint } from "../../../kit/src/crash-point.ts";
import { messageOf, ServiceError } from "../../../kit/src/errors.ts";
import type { Logger } from "../../../kit/src/logger.ts";
import type { SourceEnds, SourceIntake } from "../source-intake.ts";
import { storeRetryMs } from "./limits.ts";
import { keyOf, type Reading, type Resume } from "./resume.ts";

/** What was stored since the process started. */
export interface SourceCounts {
  records: number;
  rejected: number;
  /** Batches that could not be stored at the first try. */
  storeFailures: number;
}

export interface KafkaTermOptions {
  readonly topic: string;
  readonly from: "earliest" | "latest";
  /** How messages become records by the settings of now. */
  readonly reading: Reading;
  readonly intake: SourceIntake;
  readonly counts: SourceCounts;
  readonly signal: AbortSignal;
  readonly logger: Logger;
  /** Throws when another source of this node reads the same. */
  readonly claim: (source: string) => void;
  /** Where reading goes on in a cluster of Kafka; asked once. */
  readonly openResume: (source: string) => Promise<Resume>;
  /** The brokers are of another cluster than before: begin anew. */
  readonly resign: () => void;
}

/** What is known of a partition while it is read. */
interface PartitionState {
  readonly source: string;
  ends: SourceEnds | undefined;
  /** Some of the messages below this offset are stored as they were read before the settings changed. */
  readAnewFrom: number;
}

/** Stores the messages of a topic, each once, in one term of the source's role. */
export class KafkaTerm implements KafkaSink {
  readonly #options: KafkaTermOptions;
  readonly #partitions = new Map<number, PartitionState>();
  #clusterId: string | undefined;
  #resume: Resume | undefined;
  #fault: string | undefined;

  constructor(options: KafkaTermOptions) {
    this.#options = options;
  }

  get resume(): Resume | undefined {
    return this.#resume;
  }

  async connected(clusterId: string): Promise<void> {
    const { topic, claim, openResume, resign } = this.#options;
    if (this.#clusterId !== undefined && this.#clusterId !== clusterId) {
      resign();
      const facts = { was: this.#clusterId, is: clusterId };
      throw new ServiceError("config.invalid", "the brokers are of another cluster", facts);
    }
    const source = `kafka/${clusterId}/${topic}`;
    claim(source);
    this.#resume ??= await openResume(source);
    this.#clusterId = clusterId;
  }

  async begin(
    partitions: readonly number[],
    isTopicNew: boolean,
  ): Promise<ReadonlyMap<number, PartitionKnown>> {
    const { intake, topic, from, reading } = this.#options;
    const resume = this.#resume as Resume;
    const known = new Map<number, PartitionKnown>();
    for (const partition of partitions) {
      const source = `kafka/${this.#clusterId}/${topic}/${partition}`;
      const ends = await intake.endsOf(source);
      const held = heldOf(ends);
      const entry = resume.entryOf(partition);
      // What lies above the shards' ends was never stored, so it may be read in another way.
      const isChanged = entry !== undefined && keyOf(entry.reading) !== keyOf(reading);
      const readAnewFrom = isChanged ? Math.max(held, entry.next) : 0;
      this.#partitions.set(partition, { source, ends, readAnewFrom });
      known.set(partition, {
        resume: entry?.next,
        held,
        // A partition that came later has no messages from before.
        from: resume.isFirst && !isTopicNew ? from : "earliest",
      });
    }
    return known;
  }

  async begun(starts: ReadonlyMap<number, number>): Promise<void> {
    const resume = this.#resume as Resume;
    for (const [partition, next] of starts) {
      const entry = resume.entryOf(partition);
      resume.set(partition, { next, reading: entry?.reading ?? this.#options.reading });
    }
    await resume.save();
  }

  async store(batch: KafkaBatch): Promise<void> {
    crashPoint("kafka.fetched");
    const { partition, next, offsets } = batch;
    const resume = this.#resume as Resume;
    const state = this.#partitions.get(partition) as PartitionState;
    const { readAnewFrom } = state;
    if (readAnewFrom > 0) {
      const count = offsets.findIndex((offset) => offset >= readAnewFrom);
      const split = count < 0 ? offsets.length : count;
      const through = Math.min(next, readAnewFrom);
      const { reading } = resume.entryOf(partition) ?? this.#options;
      await this.#storeSlice(state, batch, { first: 0, end: split, through }, reading);
      resume.moved(partition, through);
      if (next < readAnewFrom) return;
      await this.#readAnew(partition, readAnewFrom);
      state.readAnewFrom = 0;
      await this.#storeSlice(
        state,
        batch,
        { first: split, end: offsets.length, through: next },
        this.#options.reading,
      );
    } else {
      const all = { first: 0, end: offsets.length, through: next };
      await this.#storeSlice(state, batch, all, this.#options.reading);
    }
    resume.moved(partition, next);
  }

  /** Notes that from here on the settings of now hold, before anything is stored by them. */
  async #readAnew(partition: number, next: number): Promise<void> {
    const resume = this.#resume as Resume;
    resume.set(partition, { next, reading: this.#options.reading });
    await this.#untilDone(partition, async () => void (await resume.save()));
  }

  async #storeSlice(
    state: PartitionState,
    { partition, offsets, timesMs, values }: KafkaBatch,
    { first, end, through }: { first: number; end: number; through: number },
    reading: Reading,
  ): Promise<void> {
    if (first === end) return;
    const { intake, counts, topic } = this.#options;
    const numbers = offsets.subarray(first, end);
    const slice = values.slice(first, end);
    await this.#untilDone(partition, async () => {
      const ends = state.ends ?? (await intake.endsOf(state.source));
      state.ends = undefined;
      const stored = await intake.store(
        {
          kind: "kafka",
          source: state.source,
          tenant: reading.tenant,
          options: decodeOptionsOf(reading),
          count: slice.length,
          values: slice,
          timesMs: timesMs.subarray(first, end),
          numbers,
          origin: `kafka ${topic}/${partition}`,
          // A shard that holds nothing of a source says 0.
          positionOf: (index) => BigInt((numbers[index] as number) + 1),
          sizeOf: (index) => (slice[index] as Uint8Array).length,
          through: BigInt(through),
        },
        ends,
      );
      state.ends = ends;
      counts.records += stored.records;
      counts.rejected += stored.rejected;
    });
  }

  /** Tries until it is done; said once for each change. Rejects when the term is over. */
  async #untilDone(partition: number, deed: () => Promise<void>): Promise<void> {
    const { signal, logger, topic, counts } = this.#options;
    for (;;) {
      signal.throwIfAborted();
      try {
        await deed();
        if (this.#fault !== undefined) logger.info({ topic }, "messages are stored again");
        this.#fault = undefined;
        return;
      } catch (thrown) {
        signal.throwIfAborted();
        counts.storeFailures++;
        const reason = messageOf(thrown);
        if (reason !== this.#fault) {
          logger.warn({ topic, partition, reason }, "messages were not stored, trying again");
        }
        this.#fault = reason;
        await sleep(storeRetryMs, undefined, { signal });
      }
    }
  }
}

/** The offset below which some shard has messages of the source. */
function heldOf(ends: SourceEnds): number {
  let held = 0;
  for (const each of ends.values()) {
    for (const end of each.values()) held = Math.max(held, Number(end));
  }
  return held;
}

function decodeOptionsOf({ format, stream, time, msg, extra }: Reading): DecodeOptions {
  return {
    protocol: format,
    encoding: "identity",
    streamFields: stream,
    timeFields: time,
    msgFields: msg,
    extra: Object.entries(extra),
    index: undefined,
  };
}
