/** Bytes of one frame after its length, as ZooKeeper's default `jute.maxbuffer`: what every client expects. */
export const frameBytesMax = 0xfffff;

/** Bytes of one entry of a txn log or a snapshot: a frame's payload, and the headers that a txn adds to it. */
export const entryBytesMax = frameBytesMax + 1024 * 1024;

/** First size of a writer's buffer: most requests and replies fit. */
export const writerBytesInitial = 512;
