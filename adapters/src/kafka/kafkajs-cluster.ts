import { createRequire } from "node:module";
import type { KafkaConfig, SASLOptions } from "kafkajs";
import type { Logger } from "../../../kit/src/logger.ts";
import { registerCodecs } from "./codecs.ts";
import { connectTimeoutMs, metadataMs, requestTimeoutMs } from "./limits.ts";
import { type Inflated, isRecordBatches, messagesOf } from "./record-batches.ts";

/*
 * kafkajs' consumer reads only as a member of a group: after a crash of ours the group would wait for the dead member,
 * and where to read on would lie in two places. Its cluster and brokers, whose calls its types state as well, ask for
 * messages at an offset of our own. They lie below its face; the version is fixed, and these are all that is used.
 */

export interface RangeOfOffsets {
  readonly partition: number;
  readonly offset: string;
}

export interface FetchedMessage {
  readonly offset: string;
  readonly timestamp: string;
  readonly value: Buffer | null;
  readonly key?: Buffer | null;
  /** Whether it ends a transaction. */
  readonly isControlRecord?: boolean;
  /** Absent in the formats of before Kafka 0.11. */
  readonly batchContext?: {
    readonly firstOffset: string;
    readonly lastOffsetDelta: number;
    readonly producerId: string;
    readonly inTransaction: boolean;
  };
}

export interface FetchedPartition {
  readonly partition: number;
  readonly highWatermark: string;
  /** Of messages in this answer: whose, and where each began. */
  readonly abortedTransactions?: readonly {
    readonly producerId: string;
    readonly firstOffset: string;
  }[];
  readonly messages: readonly FetchedMessage[];
}

export interface KafkaBroker {
  /** Rejects with the error of any partition in it. */
  fetch(request: {
    readonly isolationLevel: number;
    readonly maxWaitTime: number;
    readonly minBytes: number;
    readonly maxBytes: number;
    readonly topics: readonly {
      readonly topic: string;
      readonly partitions: readonly {
        readonly partition: number;
        readonly fetchOffset: string;
        readonly maxBytes: number;
      }[];
    }[];
  }): Promise<{
    readonly responses: readonly { readonly partitions: readonly FetchedPartition[] }[];
  }>;
  /** With the generation -1 and no member it is a commit from outside of the group. */
  offsetCommit(request: {
    readonly groupId: string;
    readonly groupGenerationId: number;
    readonly memberId: string;
    readonly topics: readonly {
      readonly topic: string;
      readonly partitions: readonly RangeOfOffsets[];
    }[];
  }): Promise<unknown>;
}

export interface KafkaMetadata {
  readonly clusterId: string;
  readonly topicMetadata: readonly {
    readonly partitionMetadata: readonly {
      readonly partitionId: number;
      readonly leader: number;
    }[];
  }[];
}

export interface KafkaCluster {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  addTargetTopic(topic: string): Promise<void>;
  refreshMetadata(): Promise<void>;
  metadata(options: { readonly topics: readonly string[] }): Promise<KafkaMetadata>;
  findBroker(options: { readonly nodeId: string }): Promise<KafkaBroker>;
  findGroupCoordinator(options: { readonly groupId: string }): Promise<KafkaBroker>;
  fetchTopicsOffset(
    topics: readonly {
      readonly topic: string;
      readonly partitions: readonly { readonly partition: number }[];
      /** The earliest offset, or the one after the latest. */
      readonly fromBeginning: boolean;
    }[],
  ): Promise<readonly { readonly partitions: readonly RangeOfOffsets[] }[]>;
}

export interface ConnectOptions {
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly tls: boolean;
  readonly sasl?: SASLOptions | undefined;
}

/** Only what was committed, of messages in transactions. */
export const readCommitted = 1;

type ClusterOptions = Omit<KafkaConfig, "brokers"> & {
  readonly brokers: readonly string[];
  readonly logger: object;
  readonly metadataMaxAge: number;
  readonly allowAutoTopicCreation: boolean;
  readonly isolationLevel: number;
};

const require = createRequire(import.meta.url);

/** Nothing is connected yet. */
export function openCluster(options: ConnectOptions, logger: Logger): KafkaCluster {
  const Cluster = require("kafkajs/src/cluster/index.js") as new (
    options: ClusterOptions,
  ) => KafkaCluster;
  const createSocketFactory = require("kafkajs/src/network/socketFactory.js") as () => NonNullable<
    KafkaConfig["socketFactory"]
  >;
  registerCodecs();
  mendTimers();
  mendDecoding();
  return new Cluster({
    logger: kafkajsLogger(logger),
    socketFactory: createSocketFactory(),
    brokers: options.brokers,
    clientId: options.clientId,
    ...(options.tls ? { ssl: true } : {}),
    ...(options.sasl === undefined ? {} : { sasl: options.sasl }),
    connectionTimeout: connectTimeoutMs,
    authenticationTimeout: connectTimeoutMs,
    requestTimeout: requestTimeoutMs,
    enforceRequestTimeout: true,
    metadataMaxAge: metadataMs,
    // Who reads tries again, and says so once.
    retry: { retries: 0 },
    allowAutoTopicCreation: false,
    isolationLevel: readCommitted,
  });
}

/** kafkajs logs at ERROR what it or we shall try again: all of it is for debugging here. */
function kafkajsLogger(logger: Logger): object {
  const { createLogger, LEVELS } = require("kafkajs/src/loggers/index.js") as {
    createLogger(options: { level: number; logCreator: unknown }): object;
    LEVELS: { readonly INFO: number };
  };
  const write = ({ log }: { readonly log: { readonly message: string } }): void => {
    const { message, ...fields } = log;
    logger.debug(fields, `kafkajs: ${message}`);
  };
  return createLogger({ level: LEVELS.INFO, logCreator: () => write });
}

interface AnswerDecoder {
  /** The whole answer, and how far it is read. */
  readonly buffer: Buffer;
  readonly offset: number;
  forward(bytes: number): void;
}

type DecodeMessages = (decoder: AnswerDecoder) => Promise<readonly FetchedMessage[]>;

const decoders = new WeakSet<DecodeMessages>();

/** Messages of a partition are decoded by us, but for those of formats that we do not know. */
function mendDecoding(): void {
  const name = require.resolve("kafkajs/src/protocol/requests/fetch/v4/decodeMessages.js");
  const original = require(name) as DecodeMessages;
  const module = require.cache[name];
  if (module === undefined || decoders.has(original)) return;
  const answers = new WeakMap<Buffer, Inflated>();
  const decode: DecodeMessages = async (decoder) => {
    const { buffer, offset } = decoder;
    const length = buffer.readInt32BE(offset);
    const bytes = buffer.subarray(offset + 4, offset + 4 + length);
    if (length <= 0 || bytes.length < length || !isRecordBatches(bytes)) return original(decoder);
    decoder.forward(4 + length);
    const inflated = answers.get(buffer) ?? { bytes: 0 };
    answers.set(buffer, inflated);
    return messagesOf(bytes, inflated);
  };
  decoders.add(decode);
  // Those who use it are loaded at the first fetch.
  module.exports = decode;
}

interface RequestQueue {
  readonly pending: readonly unknown[];
  scheduleCheckPendingRequests(): void;
}

const mended = new WeakSet<RequestQueue>();

/**
 * With nothing pending, kafkajs looks for it by a timer in the past, again and again: Node warns about that on stderr,
 * amid the log, and it costs a turn of the loop each millisecond.
 */
function mendTimers(): void {
  const { prototype } = require("kafkajs/src/network/requestQueue/index.js") as {
    readonly prototype: RequestQueue;
  };
  if (mended.has(prototype)) return;
  mended.add(prototype);
  const schedule = prototype.scheduleCheckPendingRequests;
  prototype.scheduleCheckPendingRequests = function (this: RequestQueue): void {
    if (this.pending.length > 0) schedule.call(this);
  };
}
