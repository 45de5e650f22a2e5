/** Wait before a recipe tries again what failed for another reason than a lost connection. */
export const retryMs = 500;

/**
 * After a lost answer a znode that may be left behind is removed, and once more after this: bytes of the lost connection may
 * lie unread in the server that we are on again.
 */
export const lateMs = 1_000;

/** Reads in one multiRead: an answer of small znodes stays well below a frame. */
export const readsAtOnce = 500;

/** Items that a queue takes: consumers read the names of all of them. */
export const queueItemsMax = 100_000;

/** Znodes that a cache holds, and the bytes of their data, before it gives up: it is for what fits in memory many times. */
export const cacheZnodesMax = 1_000_000;
export const cacheBytesMax = 256 * 1024 * 1024;

/** Requests of a cache under way: a reload must not push aside what else the client asks. */
export const cacheRequestsMax = 64;

/** Changes of a cache or a group that wait for a reader; past it they become one. */
export const eventsWaitingMax = 10_000;

/** First and longest wait after losing a race for a counter; each is drawn between none and all of it. */
export const raceMsMin = 2;
export const raceMsMax = 200;

/** Znodes that a cache reads with one request: even of the largest ones an answer stays below the client's limit. */
export const cacheReadsAtOnce = 50;
