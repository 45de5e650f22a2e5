/** Bytes of rows in one request, before gzip: large enough to spread the cost of a request, small enough to repeat. */
export const batchMaxBytes = 1_048_576;

/** Records in one request. */
export const batchMaxRecords = 5000;

/** A longer line becomes several records, so that a file without line ends cannot fill the memory. */
export const lineMaxBytes = 8_388_608;

/** Lines and bytes that are joined to one record; what follows begins a new one. */
export const joinedLinesMax = 1000;
export const joinedMaxBytes = 524_288;

/** What is looked at to tell the format of a file. */
export const detectLinesMax = 100;
export const detectMaxBytes = 65_536;

/** Time without input after which what is there is sent, in milliseconds. */
export const idleMs = 500;

/** How often a followed file is looked at, in milliseconds. */
export const pollMs = 250;

/** Bytes read at once. */
export const readBytes = 1_048_576;

/** Bytes at the start of a file that tell it from another one with its inode. */
export const headMaxBytes = 1024;

/** Reasons of rejected records that are shown. */
export const reasonsShownMax = 5;

/** Characters of a line that a form is tried on; a longer line is text. Bounds what a pattern can cost. */
export const parsedMaxLength = 65_536;
