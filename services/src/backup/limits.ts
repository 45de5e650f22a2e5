/** Cuts held at once: each keeps files from being deleted. One that was broken off is held until its time is up. */
export const backupsMax = 3;

/** How long a cut is held after the last file was asked for. */
export const idleMsMax = 5 * 60_000;

/** Bytes of all znodes in one backup: they are held in memory, and are settings and not data. */
export const znodeBytesMax = 128 * 1024 * 1024;

/** Znodes that are asked for at a time. */
export const znodesInFlight = 200;
