/** Session timeout that is asked for: long enough for a pause of a busy node, short enough to hand its work over. */
export const sessionTimeoutMsDefault = 6_000;

/** Requests on the wire without a reply. Bounds what a lost connection leaves with an unknown outcome. */
export const requestsInFlightMax = 2_048;

/** Bytes of requests on the wire without a reply: a socket must not buffer more than a server takes in a moment. */
export const bytesInFlightMax = 8 * 1024 * 1024;

/** Requests, and their bytes, that wait for room or for a connection; beyond it a request is refused with BUSY. */
export const requestsWaitingMax = 65_536;
export const bytesWaitingMax = 64 * 1024 * 1024;

/** Bytes of one answer: a getChildren of a large znode exceeds a server's own limit on requests by far. */
export const answerBytesMax = 64 * 1024 * 1024;

/** Bytes of paths in one setWatches request, so that a client with many watches stays below a frame's limit. */
export const setWatchesBytesMax = 128 * 1024;

/** Events that wait in an async iterator; past it changes become one `missed`, and the oldest session events go. */
export const changesWaitingMax = 10_000;
export const sessionEventsWaitingMax = 256;

/** First and longest wait before the servers are tried again; each wait is drawn between half of it and all. */
export const backoffMsMin = 50;
export const backoffMsMax = 2_000;

/**
 * Longest and shortest wait for one server to accept and answer. Between the two it is a share of the session's
 * timeout, so that every server is tried before the session expires.
 */
export const connectTimeoutMsMax = 4_000;
export const connectTimeoutMsMin = 250;

/** After this long a connection counts as a good one, and its loss does not slow the next attempt. */
export const goodConnectionMs = 500;

/** First and longest wait between two looks for a server that takes writes; as in Apache's client. */
export const probeMsMin = 100;
export const probeMsMax = 60_000;

/**
 * After this share of its timeout without proof that the server has heard of us, a session may be over: below 1, since
 * clocks differ and a timer may be late.
 */
export const lapseShare = 5 / 6;

/** How long `close` waits for the server to confirm that the session has ended. */
export const closeTimeoutMs = 2_000;
