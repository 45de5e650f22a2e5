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

/** Rows in a block as it is sealed, and in one that was merged: what one step of a search costs. */
export const sealedBlockRowsMax = 32_768;
export const blockRowsMax = 65_536;

/** Raw bytes of a block's values, about: bounds what sealing, merging and searching hold in memory. */
export const sealedBlockBytesMax = 8 << 20;
export const mergedBlockBytesMax = 16 << 20;

/** Fields at which a block takes no further batches or blocks in: real logs of a tenant have some hundreds. */
export const blockColumnsFull = 8_192;

/** Rows by fields of a block, about: what encoding it costs whether rows have the fields or not. */
export const blockCellsMax = 32 << 20;

/** Raw bytes of any chunk; what says more is damage. */
export const chunkBytesMax = 1 << 30;

/** Smaller chunks gain less by zstd than the call costs. */
export const chunkBytesWorthPacking = 96;

/** Raw bytes of one frame of plain text: what a read of a single value has to decompress. */
export const frameBytes = 256 << 10;

/** Distinct values of a dictionary in a block: codes are at most two bytes. */
export const dictValuesMax = 65_536;

/** Dictionaries of up to so many bytes lie in the block's header, which is read anyway. */
export const dictBytesInline = 4_096;

/** Larger dictionaries have a token filter, so that a word is looked for without reading them. */
export const dictValuesSearched = 1_024;

/** Bits for each distinct word in a token filter: about 1.5 of 100 absent words are not seen as such. */
export const filterBitsPerToken = 10;

/** Streams in one block: one a row. */
export const blockStreamsMax = blockRowsMax;

/** Blocks and partitions that a footer may list. */
export const segmentBlocksMax = 1 << 20;

/** Bytes of a header or footer, unpacked. */
export const headerBytesMax = 256 << 20;

/** Decoded columns that a worker keeps. */
export const cacheBytesDefault = 64 << 20;

/** zstd levels: the first counts on the way in, the second when segments are merged. */
export const sealLevel = 1;
export const mergeLevel = 3;
