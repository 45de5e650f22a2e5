/** Session timeout that is asked for: long enough for a pause of a busy node, short enough to hand its work over. */
export const sessionTimeoutMsDefault = 6_000;

/** Requests on the wire without a reply. Bounds what a lost connection leaves with an unknown outcome. */
export const requestsInFlightMax = 2_048;

/** Bytes of requests on the wire without a reply: a socket must not buffer more than a server takes in a moment. */
export const bytesInFlightMax = 8 * 1024 * 1024;

/** Requests, and their bytes, that wait for room or for a connection; beyond it a request is refused with BUSY. */
export const requestsWaitingMax = 65_536;
export const bytesWaitingMax = 64 * 1024 * 1024;

/** Bytes of paths in one setWatches request, so that a client with many watches stays below a frame's limit. */
export const setWatchesBytesMax = 128 * 1024;

/** First and longest wait before the servers are tried again; each wait is drawn between half of it and all. */
export const backoffMsMin = 50;
export const backoffMsMax = 2_000;

/** Longest wait for one server to accept and answer; a client with several servers wants to try the next. */
export const connectTimeoutMsMax = 4_000;

/** How long `close` waits for the server to confirm that the session has ended. */
export const closeTimeoutMs = 2_000;
