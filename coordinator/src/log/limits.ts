/**
 * Bytes of zeros that a txn log grows by. Written ahead, so that an append changes neither the
 * file's length nor its extents and `fdatasync` writes data only.
 */
export const preallocateBytes = 4 * 1024 * 1024;

/** A log file above this is followed by a new one, so that a start with an old one reads little. */
export const logFileBytesMax = 256 * 1024 * 1024;

/** Snapshots kept, with every log from the oldest on, as Apache's autopurge does. */
export const snapshotsKept = 3;

/** Txns between two snapshots, unless the settings say otherwise; Apache's default. */
export const snapCountDefault = 100_000;

/** Bytes of txns kept from the logs for learners that are behind: small beside a tree that takes so many. */
export const recentBytesMax = 32 * 1024 * 1024;

/** Bytes of a txn log that are read at once: many txns, and little beside the tree that they are applied to. */
export const logPieceBytes = 1024 * 1024;
