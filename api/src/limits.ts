/** Letters of a tenant's name: it becomes part of znode paths and of file names. */
export const tenantLengthMax = 64;

/** Letters of the name of a key. */
export const keyNameLengthMax = 100;

/** Letters of a query; longer ones are programs and not questions. */
export const queryLengthMax = 65_536;

/** Buckets of a histogram: as many as a wide screen has columns, doubled twice. */
export const bucketsMax = 10_000;

/** Reasons that an answer to shipped records lists; the counts stay exact. */
export const ingestErrorsMax = 100;

/** Notifications of one answer of history. */
export const alertHistoryMax = 1000;

/** Records before and after one that `/api/v1/context` gives. */
export const contextRecordsMax = 1000;

/** Letters of the filter of a delete: it is kept until no file holds a match, and looked at by every query. */
export const deleteQueryLengthMax = 4096;

/** Letters of an `Idempotency-Key`. */
export const idempotencyKeyLengthMax = 200;

/** Letters of a cursor: the text of a stream of 8 KiB with its quotes escaped, in base64. Long ones are sent as a form. */
export const cursorLengthMax = 24_576;
