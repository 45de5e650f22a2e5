/** Bytes of a log file: a few of the longest entries. What is small is zero-filled in a blink and, once sealed, soon free. */
export const logFileBytesDefault = 16 * 1024 * 1024;

/** Bytes of all log files of a disk; beyond, appends wait for seals. */
export const logBytesMaxDefault = 1024 * 1024 * 1024;

/** Bytes of the head of a log file: one page, so that entries never share a page with it. */
export const logFileHeadBytes = 4096;

/** Longest body of an entry: a slab of the arena. */
export const bodyBytesMax = 4 * 1024 * 1024;

/** Longest header of an entry: the fixed part with the longest names. */
export const headerBytesMax = 1024;

/** Entries start at multiples of this: a damaged file is searched for headers eight bytes at a time. */
export const entryAlign = 8;

/** One write of a group: bounds the turn that copies it into the page cache to a few milliseconds. */
export const groupBytesMax = 8 * 1024 * 1024;

/** Entries of one write: three buffers each stay below the kernel's 1,024 a call. */
export const groupEntriesMax = 340;

/** Spare files kept: one is made ahead of use; more only when files that were let go, several by one seal, can serve again. */
export const spareFilesMax = 4;

/** How long to wait before asking a full disk again, in milliseconds. */
export const fullRetryMs = 1_000;

/** Bytes of a name in an entry: tenant and class have one length byte, a source is bounded alike. */
export const nameBytesMax = 255;

/** Places in a file with a damaged head that are looked at as an entry's, 129 checksums each: some milliseconds. */
export const headLooksMax = 64;

/** Epochs remembered in a shard's lineage: one a restart; the oldest go first. */
export const lineageMax = 1_000;

/** A file is written again at most when so much of it is still needed: more would cost as much as it frees. */
export const rewriteShareMax = 0.25;
