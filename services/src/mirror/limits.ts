/** `_bulk` requests in flight, each of a shard of its own: one is made or travels while the other is indexed. */
export const requestsMax = 2;

/** Decoded columns that a worker keeps for the mirror: about one merged block. Apart from what queries keep. */
export const cacheBytes = 32 << 20;

/** How often every shard is looked at, for what no seal tells: one that is served here again, a segment set aside. */
export const lookEveryMs = 5_000;

/** Pause after a shard could not be read, or its progress not be kept. */
export const retryMs = 2_000;

/** How long a stop waits for what is under way; what is cut off is sent again after the next start. */
export const closeWaitMs = 2_500;

/** A worker closes a file that it was not asked for in this time. */
export const idleMsMax = 30_000;
