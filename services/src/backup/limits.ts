/** Cuts held at once: each keeps files from being deleted. One that was broken off is held until its time is up. */
export const backupsMax = 3;

/** How long a cut is held after the last file was asked for. */
export const idleMsMax = 5 * 60_000;

/** Bytes of all znodes in one backup: they are held in memory, and are settings and not data. */
export const znodeBytesMax = 128 * 1024 * 1024;

/** Znodes that are asked for at a time. */
export const znodesInFlight = 200;

/** Cuts held here, those of other nodes' backups among them. */
export const hostedMax = 64;

/** How long another node has to seal what is in memory and cut its shards, in milliseconds. */
export const cutCallMs = 120_000;

/** How often other nodes are told that their part of a backup is still wanted, in milliseconds. */
export const keepEveryMs = 20_000;

/** Bytes that are read at a time: long enough for a disk, short enough for its other readers. */
export const readBytes = 256 * 1024;
