import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "../../../kit/src/errors.ts";
import { CodecFault } from "./codec-fault.ts";
import { type KafkaCluster, readCommitted } from "./kafkajs-cluster.ts";
import {
  decodeTriesMax,
  fetchBusyWaitMs,
  fetchBytesMax,
  fetchPartitionBytesMax,
  fetchWaitMs,
  retryFirstMs,
  roomLookMs,
} from "./limits.ts";
import type { PartitionReader } from "./partition-reader.ts";

export interface LeaderReaderOptions {
  readonly cluster: KafkaCluster;
  readonly topic: string;
  readonly node: number;
  readonly signal: AbortSignal;
  /** Whether the source holds less than it may. */
  readonly hasRoom: () => boolean;
  readonly whenFreed: () => Promise<void>;
  /** The broker has answered. */
  readonly onAnswer: () => void;
  readonly onHeld: (bytes: number) => void;
  /** The broker has nothing at the partition's offset. */
  readonly outOfRange: (reader: PartitionReader) => Promise<void>;
  readonly onUndecodable: (reader: PartitionReader, reason: string) => void;
}

/** Fetches the partitions that one broker leads, as far as they have room. Ends with the first failure. */
export class LeaderReader {
  /** The partitions to fetch, asked before each fetch. */
  readers: () => readonly PartitionReader[] = () => [];
  hasStarted = false;
  hasEnded = false;
  /** Resolves when it has ended, with what it failed of, or undefined. Never rejects. */
  ended: Promise<unknown> = Promise.resolve();
  readonly #options: LeaderReaderOptions;

  constructor(options: LeaderReaderOptions) {
    this.#options = options;
  }

  start(): void {
    this.hasStarted = true;
    this.ended = this.#run()
      .then(
        () => undefined,
        (thrown: unknown) => thrown ?? new Error("failed"),
      )
      .finally(() => {
        this.hasEnded = true;
      });
  }

  async #run(): Promise<void> {
    const { signal, hasRoom, whenFreed } = this.#options;
    for (let turn = 0; !signal.aborted; turn++) {
      const readers = this.readers().filter(({ stopped }) => stopped === undefined);
      const hungry = hasRoom() ? readers.filter(({ hasRoom }) => hasRoom) : [];
      if (hungry.length === 0) {
        await Promise.race([whenFreed(), sleep(roomLookMs)]);
        continue;
      }
      // A broker fills its answer in the order of the question: those at the end must not wait for a long first one.
      hungry.push(...hungry.splice(0, turn % hungry.length));
      const waitMs = hungry.length < readers.length ? fetchBusyWaitMs : fetchWaitMs;
      await this.#fetch(hungry, waitMs);
    }
  }

  async #fetch(readers: readonly PartitionReader[], waitMs: number): Promise<void> {
    const { cluster, topic, node, outOfRange, onAnswer, onHeld, signal } = this.#options;
    const broker = await cluster.findBroker({ nodeId: String(node) });
    const partitions = readers.map(({ partition, next }) => ({
      partition,
      fetchOffset: String(next),
      maxBytes: fetchPartitionBytesMax,
    }));
    try {
      const { responses } = await broker.fetch({
        isolationLevel: readCommitted,
        maxWaitTime: waitMs,
        minBytes: 1,
        maxBytes: fetchBytesMax,
        topics: [{ topic, partitions }],
      });
      onAnswer();
      if (signal.aborted) return;
      const answered = responses.flatMap((response) => response.partitions);
      for (const fetched of answered) {
        const reader = readers.find((each) => each.partition === fetched.partition);
        if (reader !== undefined) onHeld(reader.take(fetched));
      }
      // Batches that compaction has emptied are answered at once, again and again.
      if (answered.every(({ messages }) => messages.length === 0)) await sleep(fetchBusyWaitMs);
    } catch (thrown) {
      const reader = readers.find(({ partition }) => partition === outOfRangePartition(thrown));
      if (reader !== undefined) await outOfRange(reader);
      else if (isUndecodable(thrown)) await this.#undecodable(readers, thrown);
      else throw thrown;
    }
  }

  /** One partition's messages cannot be decoded, and the client does not say whose: each is fetched alone. */
  async #undecodable(readers: readonly PartitionReader[], thrown: unknown): Promise<void> {
    const [first] = readers;
    if (first === undefined) return;
    if (readers.length > 1) {
      for (const reader of readers) await this.#fetch([reader], fetchBusyWaitMs);
      return;
    }
    first.decodeFailures++;
    if (first.decodeFailures >= decodeTriesMax) {
      const reason = `messages at offset ${first.next} or after cannot be decoded: ${messageOf(thrown)}`;
      this.#options.onUndecodable(first, reason);
    }
    await sleep(retryFirstMs);
  }
}

function outOfRangePartition(thrown: unknown): number | undefined {
  const { name, partition } = thrown as { readonly name?: string; readonly partition?: unknown };
  if (name !== "KafkaJSOffsetOutOfRange") return undefined;
  return Number(partition);
}

/** What kafkajs, zlib and our codecs throw for bytes that they cannot make sense of. */
const undecodable: ReadonlySet<string> = new Set([
  "KafkaJSNotImplemented",
  "KafkaJSUnsupportedMagicByteInMessageSet",
  "KafkaJSInvalidVarIntError",
  "KafkaJSInvalidLongError",
  "RangeError",
]);

function isUndecodable(thrown: unknown): boolean {
  if (thrown instanceof CodecFault) return true;
  if (!(thrown instanceof Error)) return false;
  // What brokers refuse has a number there.
  const code = String((thrown as { readonly code?: unknown }).code ?? "");
  const isOfZlib = code.startsWith("Z_") || code.startsWith("ZSTD_");
  return isOfZlib || code === "ERR_BUFFER_TOO_LARGE" || undecodable.has(thrown.name);
}
