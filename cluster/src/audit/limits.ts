/** Characters of what a setting or rule was or became: an entry stays far below a znode's bound. */
export const auditTextMax = 16_384;

/** Entries folded by one write of the coordinator, whose names and checks then stay far below its bound. */
export const auditFoldMax = 256;

/** How long the folder waits after the first of several changes, in milliseconds. */
export const auditFoldWaitMs = 50;

/** Entries that are read at a time. */
export const auditReadsInFlight = 100;
