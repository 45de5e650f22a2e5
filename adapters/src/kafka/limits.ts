/** How long a broker may keep a question for messages when there are none. */
export const fetchWaitMs = 500;

/** The same while a partition of that broker waits for room: its messages must not wait for those of idle ones. */
export const fetchBusyWaitMs = 20;

/** Bytes of one answer, and of one partition in it. A broker sends one batch of records at least, whatever its size. */
export const fetchBytesMax = 1 << 20;
export const fetchPartitionBytesMax = 512 << 10;

/** Batches of one partition that are held: one that is stored, and the next. */
export const batchesHeldMax = 2;

/** Bytes of messages of one source that are held; nothing more is fetched beyond it. */
export const heldBytesMax = 32 << 20;

/** How long a look for room takes at most before the next. */
export const roomLookMs = 50;

/** Partitions of a topic: each is a source of its own at every shard. */
export const partitionsMax = 4_096;

/** How often partitions and their leaders are asked for. */
export const metadataMs = 10_000;

/** Waits before what failed is tried again: the first, and the longest. */
export const retryFirstMs = 250;
export const retryLongestMs = 5_000;

/** Times that messages which cannot be decoded are fetched before their partition stops. */
export const decodeTriesMax = 3;

/** How long a broker may take to be connected, and to answer. */
export const connectTimeoutMs = 5_000;
export const requestTimeoutMs = 30_000;

/** How long an end waits for brokers to answer what was asked of them. */
export const closeWaitMs = 1_000;

/** Bytes of a batch of records when decompressed: a producer's is 1 MiB unless it was told otherwise. */
export const inflatedMaxBytes = 64 << 20;

/** Bytes of an answer when decompressed beyond which its further batches are left for the next. */
export const answerInflatedBytes = 16 << 20;

/** Records of a batch: each is an object while it is held, however small it is. */
export const recordsMax = 1_000_000;

/** Records that are decoded in one turn of the event loop. */
export const recordsTurn = 5_000;
