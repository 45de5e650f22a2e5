/** Rows in one batch: a batch is one log entry, and this many already amortise its header. */
export const batchRowsMax = 8_192;

/** Encoded bytes at which a batch is full: one arena slab, and one turn of the log's write. */
export const batchBytesFull = 1 << 20;

/** Encoded bytes of any batch; one record may be longer than a full batch, damage never is believed. */
export const batchBytesMax = 64 << 20;

/** Values noted before they are put into their columns, ten bytes each: those of a thousand records or more. */
export const batchNotedValuesMax = 16_384;

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

/** Rows in a block: what one step of a search costs. Half as many take a tenth more room. */
export const blockRowsMax = 65_536;

/** Raw bytes of a block's values, about: bounds what sealing, merging and searching hold in memory. */
export const blockBytesFull = 16 << 20;

/** Scratch memory that an encoder keeps for its next block: about what a full one takes; more is allocated for one block. */
export const scratchBytesKept = 32 << 20;

/** Fields at which a block takes no further batches or blocks in: real logs of a tenant have some hundreds. */
export const blockColumnsFull = 8_192;

/** Rows by fields of a block, about: what encoding it costs whether rows have the fields or not. */
export const blockCellsMax = 32 << 20;

/** Raw bytes of any chunk; what says more is damage. */
export const chunkBytesMax = 1 << 30;

/** Smaller chunks gain less by zstd than the call costs. */
export const chunkBytesWorthPacking = 96;

/** Raw bytes of one frame of payloads: what a read of a single value has to decompress. */
export const frameBytes = 128 << 10;

/** Frames of a block: what says more is damage. */
export const framesMax = 1 << 16;

/** Values in a list of which a typed encoding is tried: fewer gain less than its description takes. */
export const listRowsTyped = 12;

/** Distinct values of a dictionary: codes are two bytes, and one below all of them is left over. */
export const listDictValuesMax = 65_535;

/** A dictionary of a list pays up to this share of distinct values. */
export const dictShareMax = 0.5;

/** Shapes of one list: values of more are text. */
export const shapesMax = 4;

/** Runs of digits in a shape, less one; and the bytes of a value that has one. */
export const shapeRunsMax = 16;
export const shapeBytesMax = 256;

/** Hexadecimal digits of an id that is kept as bytes. */
export const hexDigitsMin = 8;
export const hexDigitsMax = 128;

/** Distinct values of a dictionary in a block: codes are at most two bytes. */
export const dictValuesMax = 65_536;

/** Dictionaries of up to so many bytes lie in the block's header, which is read anyway. */
export const dictBytesInline = 4_096;

/** Larger dictionaries have a token filter, so that a word is looked for without reading them. */
export const dictValuesSearched = 4_096;

/** Bits for each distinct word in a token filter: about 2 of 100 absent words are not seen as such. */
export const filterBitsPerToken = 9;

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

/** A field of which the batches or blocks that have it hold no more than this part of the rows is kept by row. */
export const sparseShare = 16;

/** Rows of a template below which a variable is not compared with the record's other fields. */
export const referenceRowsMin = 4;

/** Fields of a block that variables are compared with. */
export const referenceFieldsMax = 32;

/** Dictionaries of so many values have their counts in the header. */
export const countedValuesMax = 256;

/** Average bytes of texts below which they are not split into templates. */
export const minedBytesMin = 12;

/** What a pass over whole blocks keeps: the chunks that the columns of a block share. */
export const passCacheBytes = 16 << 20;

/** What codes of a dictionary take of the bits they need, about, once they lie by template and are compressed. */
export const codesShare = 0.7;
