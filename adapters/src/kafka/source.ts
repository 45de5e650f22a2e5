import { setTimeout as sleep } from "node:timers/promises";
import type { SASLOptions } from "kafkajs";
import { messageOf } from "../../../kit/src/errors.ts";
import type { Logger } from "../../../kit/src/logger.ts";
import { pause } from "../../../kit/src/pause.ts";
import { type ConnectOptions, type KafkaCluster, openCluster } from "./kafkajs-cluster.ts";
import { LeaderReader } from "./leader-reader.ts";
import {
  closeWaitMs,
  heldBytesMax,
  metadataMs,
  partitionsMax,
  retryFirstMs,
  retryLongestMs,
} from "./limits.ts";
import { type KafkaBatch, PartitionReader } from "./partition-reader.ts";
import { continueAt, type OffsetRange, type PartitionKnown, startOf } from "./positions.ts";

export type { KafkaBatch } from "./partition-reader.ts";

/** Where messages go: filled in by the services. */
export interface KafkaSink {
  /** Told at each connection which cluster it is; throws when this reader must not go on with it. */
  connected(clusterId: string): Promise<void>;
  /** What is known of partitions that are about to be read; `isTopicNew`: it was not there when this reader began. */
  begin(
    partitions: readonly number[],
    isTopicNew: boolean,
  ): Promise<ReadonlyMap<number, PartitionKnown>>;
  /** The offsets at which partitions will be read; nothing is stored before this resolves. */
  begun(starts: ReadonlyMap<number, number>): Promise<void>;
  /** Resolves when every message is stored. Batches of a partition come one after the other, without a gap. */
  store(batch: KafkaBatch): Promise<void>;
}

export interface KafkaSourceOptions {
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly clientId: string;
  readonly tls: boolean;
  /** Asked at each connection, so that a password may change. */
  readonly sasl: () => Promise<SASLOptions | undefined>;
  readonly sink: KafkaSink;
  readonly logger: Logger;
}

export interface PartitionStatus {
  readonly partition: number;
  /** Every message below this offset is stored. */
  readonly stored: number;
  readonly highWatermark: number;
  /** Why it is not read. */
  readonly stopped: string | undefined;
}

export interface KafkaSourceStatus {
  /** Why nothing is read at the moment. */
  readonly fault: string | undefined;
  /** Failures since it was made. */
  readonly faults: number;
  /** Messages that retention had deleted before they were read. */
  readonly lost: number;
  readonly partitions: readonly PartitionStatus[];
}

/** Reads the partitions of a topic, each in order and from where the sink says; goes on through whatever fails. */
export class KafkaSource {
  readonly #options: KafkaSourceOptions;
  readonly #partitions = new Map<number, PartitionReader>();
  #cluster: KafkaCluster | undefined;
  #fault: string | undefined;
  #faultNode: number | undefined;
  #faults = 0;
  #hasAnswered = false;
  #lost = 0;
  #heldBytes = 0;
  #isTopicNew = false;
  #whenFreed = Promise.withResolvers<void>();

  constructor(options: KafkaSourceOptions) {
    this.#options = options;
  }

  get status(): KafkaSourceStatus {
    const partitions = [...this.#partitions.values()].map(
      ({ partition, stored, highWatermark, stopped }) => ({
        ...{ partition, stored, highWatermark, stopped },
      }),
    );
    return { fault: this.#fault, faults: this.#faults, lost: this.#lost, partitions };
  }

  /** Reads until the signal; resolves when nothing is held any more. */
  async run(signal: AbortSignal): Promise<void> {
    let waitMs = retryFirstMs;
    while (!signal.aborted) {
      this.#hasAnswered = false;
      await this.#session(signal).catch((thrown: unknown) => {
        if (!signal.aborted) this.#note(thrown, undefined);
      });
      waitMs = this.#hasAnswered ? retryFirstMs : Math.min(2 * waitMs, retryLongestMs);
      await pause(waitMs, signal);
    }
    await Promise.all([...this.#partitions.values()].map((reader) => reader.settled()));
  }

  /** Tells the group what is stored, where people look for lag; false while there is no cluster. Rejects when refused. */
  async commit(group: string, offsets: ReadonlyMap<number, number>): Promise<boolean> {
    const cluster = this.#cluster;
    if (cluster === undefined || offsets.size === 0) return false;
    const coordinator = await cluster.findGroupCoordinator({ groupId: group });
    const partitions = [...offsets].map(([partition, next]) => ({
      partition,
      offset: String(next),
    }));
    await coordinator.offsetCommit({
      groupId: group,
      groupGenerationId: -1,
      memberId: "",
      topics: [{ topic: this.#options.topic, partitions }],
    });
    return true;
  }

  /** One connection to the cluster, kept while its metadata can be had. */
  async #session(signal: AbortSignal): Promise<void> {
    const { topic, sink, sasl, brokers, clientId, tls, logger } = this.#options;
    const connect: ConnectOptions = { brokers, clientId, tls, sasl: await sasl() };
    const cluster = openCluster(connect, logger);
    const over = new AbortController();
    const both = AbortSignal.any([signal, over.signal]);
    const leaders = new Map<number, LeaderReader>();
    try {
      await cluster.connect();
      await cluster.addTargetTopic(topic);
      while (!both.aborted) {
        const metadata = await cluster.metadata({ topics: [topic] });
        await sink.connected(metadata.clusterId);
        this.#cluster = cluster;
        const found = metadata.topicMetadata[0]?.partitionMetadata ?? [];
        const partitions = found.map(({ partitionId }) => partitionId);
        await this.#admit(cluster, partitions);
        const leaderOf = new Map(found.map(({ partitionId, leader }) => [partitionId, leader]));
        this.#lead(cluster, leaderOf, leaders, both);
        await this.#untilLook(leaders, both);
        if (!both.aborted) await cluster.refreshMetadata();
      }
    } catch (thrown) {
      if (isUnknownTopic(thrown)) this.#isTopicNew ||= this.#partitions.size === 0;
      throw thrown;
    } finally {
      this.#cluster = undefined;
      over.abort();
      // A broker that hangs must not hold up who stops: what it still answers is not taken.
      const ended = [...leaders.values()].map((leader) => leader.ended);
      await Promise.race([Promise.all(ended), sleep(closeWaitMs, undefined, { ref: false })]);
      cluster.disconnect().catch(() => undefined);
    }
  }

  /** Begins to read partitions that are met for the first time. */
  async #admit(cluster: KafkaCluster, found: readonly number[]): Promise<void> {
    const { sink, topic, logger } = this.#options;
    if (found.length > partitionsMax) {
      throw new Error(`the topic has ${found.length} partitions, more than ${partitionsMax}`);
    }
    const fresh = found.filter((partition) => !this.#partitions.has(partition));
    if (fresh.length === 0) return;
    const ranges = await this.#ranges(cluster, fresh);
    const known = await sink.begin(fresh, this.#isTopicNew || this.#partitions.size > 0);
    const readers: PartitionReader[] = [];
    for (const partition of fresh) {
      const range = ranges.get(partition);
      const facts = known.get(partition);
      if (range === undefined || facts === undefined) continue;
      const start = startOf(facts, range);
      const at = start.kind === "read" ? start.at : Math.max(facts.resume ?? 0, facts.held);
      const reader = new PartitionReader({
        ...{ partition, at },
        store: (batch) => sink.store(batch),
        onFreed: (bytes) => this.#freed(bytes),
      });
      reader.highWatermark = range.high;
      if (start.kind === "stop") this.#stop(reader, start.reason);
      else if (start.lost > 0) this.#noteLost(partition, start.at, start.lost);
      readers.push(reader);
    }
    const reading = readers.filter(({ stopped }) => stopped === undefined);
    await sink.begun(new Map(reading.map(({ partition, next }) => [partition, next])));
    for (const reader of readers) this.#partitions.set(reader.partition, reader);
    logger.info({ topic, partitions: fresh.length }, "partitions are read");
  }

  /** Each leader has a reader of its own, so that a slow broker holds up none of the others. */
  #lead(
    cluster: KafkaCluster,
    leaderOf: ReadonlyMap<number, number>,
    leaders: Map<number, LeaderReader>,
    signal: AbortSignal,
  ): void {
    // A partition without a leader has the node -1.
    const nodes = new Set([...leaderOf.values()].filter((node) => node >= 0));
    if (this.#faultNode !== undefined && !nodes.has(this.#faultNode)) this.#faultNode = undefined;
    for (const node of nodes) {
      if (leaders.get(node)?.hasEnded === false) continue;
      const leader = this.#leaderOf(cluster, node, signal);
      leaders.set(node, leader);
    }
    for (const [node, leader] of leaders) {
      leader.readers = () =>
        [...this.#partitions.values()].filter(({ partition }) => leaderOf.get(partition) === node);
      if (!leader.hasStarted) leader.start();
    }
  }

  #leaderOf(cluster: KafkaCluster, node: number, signal: AbortSignal): LeaderReader {
    return new LeaderReader({
      ...{ cluster, topic: this.#options.topic, node, signal },
      hasRoom: () => this.#heldBytes < heldBytesMax,
      whenFreed: () => this.#whenFreed.promise,
      onAnswer: () => this.#answered(node),
      onHeld: (bytes) => {
        this.#heldBytes += bytes;
      },
      outOfRange: (reader) => this.#outOfRange(cluster, reader),
      onUndecodable: (reader, reason) => this.#stop(reader, reason),
    });
  }

  /** Waits for the next look at the metadata: due, or asked for by a leader that failed. */
  async #untilLook(leaders: ReadonlyMap<number, LeaderReader>, signal: AbortSignal): Promise<void> {
    const due = new AbortController();
    const failed = await Promise.race([
      pause(metadataMs, AbortSignal.any([signal, due.signal])).then(() => undefined),
      ...[...leaders].map(async ([node, { ended }]) => ({ node, thrown: await ended })),
    ]);
    due.abort();
    if (failed === undefined || signal.aborted) return;
    this.#note(failed.thrown, failed.node);
    await pause(retryFirstMs, signal);
  }

  async #outOfRange(cluster: KafkaCluster, reader: PartitionReader): Promise<void> {
    const range = (await this.#ranges(cluster, [reader.partition])).get(reader.partition);
    if (range === undefined) return;
    const found = continueAt(reader.next, range);
    if (found.kind === "stop") this.#stop(reader, found.reason);
    else if (found.lost > 0) {
      this.#noteLost(reader.partition, found.at, found.lost);
      reader.skipTo(found.at);
    }
  }

  async #ranges(
    cluster: KafkaCluster,
    partitions: readonly number[],
  ): Promise<ReadonlyMap<number, OffsetRange>> {
    const { topic } = this.#options;
    const asked = partitions.map((partition) => ({ partition }));
    const ends: ReadonlyMap<number, number>[] = [];
    for (const fromBeginning of [true, false]) {
      const [found] = await cluster.fetchTopicsOffset([
        { topic, partitions: asked, fromBeginning },
      ]);
      const offsets = found?.partitions ?? [];
      ends.push(new Map(offsets.map(({ partition, offset }) => [partition, Number(offset)])));
    }
    const ranges = new Map<number, OffsetRange>();
    for (const partition of partitions) {
      const low = ends[0]?.get(partition);
      const high = ends[1]?.get(partition);
      if (low !== undefined && high !== undefined) ranges.set(partition, { low, high });
    }
    return ranges;
  }

  #freed(bytes: number): void {
    this.#heldBytes -= bytes;
    this.#whenFreed.resolve();
    this.#whenFreed = Promise.withResolvers<void>();
  }

  #stop(reader: PartitionReader, reason: string): void {
    const { topic, logger } = this.#options;
    reader.stop(reason);
    this.#faults++;
    logger.error({ topic, partition: reader.partition, reason }, "partition is not read any more");
  }

  #noteLost(partition: number, at: number, lost: number): void {
    const { topic, logger } = this.#options;
    this.#lost += lost;
    const facts = { topic, partition, offset: at, lost };
    logger.warn(facts, "messages were deleted before they were read, going on behind them");
  }

  /** Said once for each change, however often it fails; `node`: the broker that it is about. */
  #note(thrown: unknown, node: number | undefined): void {
    const fault = messageOf(thrown);
    this.#faults++;
    this.#faultNode = node;
    if (fault === this.#fault) return;
    this.#fault = fault;
    const { topic, logger } = this.#options;
    logger.warn({ topic, reason: fault }, "topic cannot be read, trying again");
  }

  /** That another broker answers mends nothing. */
  #answered(node: number): void {
    this.#hasAnswered = true;
    if (this.#fault === undefined) return;
    if (this.#faultNode !== undefined && this.#faultNode !== node) return;
    this.#fault = undefined;
    const { topic, logger } = this.#options;
    logger.info({ topic }, "topic is read again");
  }
}

function isUnknownTopic(thrown: unknown): boolean {
  return (thrown as { readonly type?: unknown }).type === "UNKNOWN_TOPIC_OR_PARTITION";
}
