/** Limits of exports, each with its reason. */

/** Milliseconds after which a page ends and a new cut is opened: what a cut pins in memory and on disk is let go. */
export const pageMsMax = 5_000;

/** Rows from which on the rest is one page with a limit: a limit is known to the reader, and costs by its size. */
export const lastPageRows = 20_000;

/** A page may have to look through everything for its first row; a day is as good as for ever. */
export const pageTimeoutMs = 24 * 3_600_000;

/** Bytes of rows, and milliseconds, between two cursors: what a client that broke off reads once more. */
export const cursorBytes = 256 * 1024;
export const cursorMs = 1_000;

/** Fields of an export that has columns; beyond it names are data, and every row pays for each. */
export const exportColumnsMax = 2_000;

/** Rows and bytes (as NDJSON) of a row group, which is held in memory until it is whole. */
export const rowGroupRowsMax = 50_000;
export const rowGroupBytesMax = 8 * 1024 * 1024;
