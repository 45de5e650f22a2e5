/** Rows in one batch: a batch is one log entry, and this many already amortise its header. */
export const batchRowsMax = 8_192;

/** Encoded bytes at which a batch is full: one arena slab, and one turn of the log's write. */
export const batchBytesFull = 1 << 20;

/** Encoded bytes of any batch; one record may be longer than a full batch, damage never is believed. */
export const batchBytesMax = 64 << 20;

/** Columns at which a batch is full; past this the directory outweighs the values. */
export const batchColumnsFull = 2_048;

/** Columns a reader accepts: a full batch and one more record of very many fields. */
export const columnsMax = 65_536;

/** Distinct values of a dictionary in a batch, the empty one included: codes are one byte. */
export const batchDictValuesMax = 256;

/** Longer values are not worth hashing for a dictionary in a batch. */
export const batchDictValueBytesMax = 64;

/** Bytes a batch builder keeps allocated for its next batch; there are many builders in a worker. */
export const builderBytesKept = 4 << 20;

/** Field names (or streams) a worker interns before it starts anew, and their bytes. */
export const namesMax = 65_536;
export const nameBytesMax = 16 << 20;
