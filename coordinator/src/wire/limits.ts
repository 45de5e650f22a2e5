/** Bytes of one frame after its length, as ZooKeeper's default `jute.maxbuffer`: what every client expects. */
export const frameBytesMax = 0xfffff;

/** What a server may be told to take instead: a request is held in memory whole, several times over. */
export const frameBytesSettableMax = 16 * 1024 * 1024;

/**
 * Bytes of one entry of a txn log: the largest frame's payload, and the headers that a txn adds to it. A log
 * must be read again whatever the setting is by then.
 */
export const entryBytesMax = frameBytesSettableMax + 1024 * 1024;

/** First size of a writer's buffer: most requests and replies fit. */
export const writerBytesInitial = 512;
