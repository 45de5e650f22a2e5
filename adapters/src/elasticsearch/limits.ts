/** Pauses between tries: soon after a first failure, never longer than a person would wait before looking again. */
export const retryMsMin = 100;
export const retryMsMax = 30_000;

/** Items of one `_bulk` request: its answer has a line each, and is held in memory. */
export const bulkItemsMax = 10_000;

/** Characters of a reason that a dead letter keeps; Elasticsearch quotes values in it. */
export const reasonLengthMax = 2_000;

/** Characters of a document that a dead letter keeps: a body that was too large must not be so again. */
export const deadLetterLengthMax = 100_000;

/**
 * How long it is taken for granted that the same cluster answers, with our templates. Shorter than a server takes to
 * start: one that was emptied meanwhile is met by nothing else, when no request was under way.
 */
export const targetKnownMs = 3_000;

/** Failures in a row that are told in the log: a few are how a busy cluster or network works. */
export const failuresTold = 5;

/** Bytes of an answer that the client reads whole: one to `_bulk` with each item refused, its value quoted at length. */
export const answerBytesMax = 64 << 20;
