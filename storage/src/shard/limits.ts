/** Bytes of one slab of the arena: the unit of claiming and freeing, and the longest batch. */
export const slabBytes = 4 * 1024 * 1024;

/** Bytes of the arena by default: some seconds of full ingest, and untouched pages cost nothing. */
export const arenaBytesDefault = 256 * 1024 * 1024;

/** Batches start at multiples of this, so that typed arrays can be laid over them. */
export const batchAlign = 8;
