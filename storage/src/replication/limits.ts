/** Bytes of one read of another replica's file: a few milliseconds of a gigabit link, so that entries come in between. */
export const segmentReadBytesMax = 512 * 1024;

/** How long a write waits before it asks a full log again, in milliseconds. */
export const roomRetryMs = 250;

/** How long before files that could not be had from another replica are asked for again: the core asks. */
export const fetchTimeoutMs = 30_000;

/** How long before a damaged segment is asked for again that no other replica could give, in milliseconds. */
export const repairRetryMs = 10_000;

/** How long a start waits for its shards to be served somewhere, before it goes on without them. */
export const startWaitMs = 5_000;

/** How long a close waits for its shards to be taken over by others. */
export const drainWaitMs = 3_000;

/** How long before the core hears that the outcome of a commit is unknown, since the manifest is closed: it would ask again at once. */
export const unknownRetryMs = 250;

/** How long others than the target hold back after a hand-over, in milliseconds: it acquires within some round trips. */
export const handOverHoldMs = 2_000;

/** How long an append that was held back waits for news before it is tried again, in milliseconds. */
export const heldBackMs = 20;
