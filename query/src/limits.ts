/** Limits of the query room, each with its reason. */

/** Bytes that one query may hold in states, rows and answers not yet sent, unless its caller says less. */
export const memoryBytesDefault = 256 * 1024 * 1024;

/** Milliseconds until a query gives up, unless its caller says otherwise. */
export const timeoutMsDefault = 30_000;

/** How a worker answers the records of a part, piece by piece. */
export interface RecordLimits {
  /** Rows of one chunk. More would hold the part's neighbours back and fill the main thread. */
  readonly chunkRows: number;
  /** Bytes of one serialised chunk, for the same reason, when records are long. */
  readonly chunkBytes: number;
  /** Rows brought into order in one turn: several chunks, so that blocks are not read again for each of them. */
  readonly orderedRows: number;
  /** Raw bytes of the blocks that are looked at for it before what was found by then is answered. */
  readonly orderedBytes: number;
  /** Up to so many rows are no answer by themselves: a filter that finds little would come back for each block. */
  readonly fewRows: number;
  /** Bytes of rows in order that a worker keeps between two chunks, of all queries. */
  readonly keptBytes: number;
}

/** Two full blocks are looked at in one turn, and about four are kept. */
export const recordLimits: RecordLimits = {
  chunkRows: 16_384,
  chunkBytes: 4 * 1024 * 1024,
  orderedRows: 65_536,
  orderedBytes: 32 * 1024 * 1024,
  fewRows: 1_024,
  keptBytes: 64 * 1024 * 1024,
};

/**
 * Records of one piece of work of an aggregate: some blocks. More would leave a worker alone at the end, fewer cost more
 * to post than to do.
 */
export const taskRowsTarget = 200_000;

/** Bytes of the answers to pieces of work that are kept for the same question, of a process and of one piece. */
export const keptAnswersBytes = 16 * 1024 * 1024;
export const keptAnswerBytesMax = 512 * 1024;

/** Bytes of partial answers that the main thread merges itself: some milliseconds' work. */
export const mergedBytesMax = 256 * 1024;

/** Milliseconds that a query may keep the main thread before others go first. */
export const turnMsMax = 5;

/** Bytes of a batch of rows handed to whoever answers: one write to a socket. */
export const batchBytesTarget = 64 * 1024;

/** Bytes of chunks read ahead of the newest row that may be sent; beyond it only what blocks is read. */
export const lookaheadBytes = 32 * 1024 * 1024;

/**
 * Values kept as they are before a quantile becomes a sketch, a group. 1,000 values answer exactly
 * what people check by hand and cost 8 KB.
 */
export const quantileExactMax = 1_000;

/** Relative error of a sketched quantile: the answer lies within half a per cent of the true value. */
export const quantileError = 0.005;

/** Products of dictionary sizes that are looked up by address; larger ones by hash. */
export const directGroupsMax = 1 << 18;

/** Values in one answer of `values()` and `uniq_values()`, a group; an answer is read by people. */
export const valuesMax = 100_000;

/** Buckets of one histogram: what a chart can show, several times over. */
export const histogramBucketsMax = 10_000;

/** Values of `by` in a histogram; the rest is counted together. */
export const histogramByMax = 20;

/** Records before and after that one question for context may ask for. */
export const contextRecordsMax = 1_000;

/** Compiled fragments that a worker keeps, the least recently used goes; a worker serves a few queries at a time. */
export const fragmentsKept = 32;

/** Bytes of events that a tail keeps for a slow reader before it drops, oldest first. */
export const tailBufferBytes = 4 * 1024 * 1024;

/** Tails of clients at a time; each is matched against every committed batch. */
export const tailsMax = 256;

/** Compiled tails and match rules that a worker keeps: all rules of many tenants, at a few KiB each. */
export const tailMatchersKept = 16_384;

/** Records that a tail replays on resume in one turn. */
export const tailReplayRows = 4_096;

/** Bytes of rows that a CSV answer may hold to find its header. */
export const csvBufferBytes = 64 * 1024 * 1024;

/** Rows that `unroll` or `join` may make of one block or answer: several blocks' worth, at some hundred bytes each. */
export const unrolledRowsMax = 1_000_000;

/** Fields that one block's texts may be unpacked into; beyond it names are data, and each costs a column. */
export const unpackedFieldsMax = 1_000;

/** Rows of an inner query that `join` and `union` hold. */
export const innerRowsMax = 100_000;

/** Values that an inner query gives to `in(…)`; they are posted with every piece of the outer one. */
export const innerValuesMax = 50_000;

/** Bytes of an inner query's answer, as it is printed. */
export const innerBytesMax = 16 * 1024 * 1024;

/** Queries within a query, at any depth: each is a whole scan. */
export const innerQueriesMax = 16;

/** Streams whose neighbours `stream_context` looks for, each a query of its own. */
export const contextStreamsMax = 100;

/**
 * Bytes of the values of one column that pipes make or copy of one block or answer: a block's own are a few MiB. Beyond
 * it one `unroll` or `format` of long texts would take all memory there is, since workers hold no budget.
 */
export const columnBytesMax = 256 * 1024 * 1024;
