/** Bytes of a body after inflation: what OTLP names as its default, and no shipper sends more at once. */
export const bodyMaxBytes = 64 << 20;

/**
 * Inflated bytes per compressed byte. Real logs stay below 50 and repeated ones below 150, so this stops a
 * bomb (gzip reaches 1,032, zstd far more) while its cost is still in proportion to what was sent.
 */
export const inflateRatioMax = 200;

/** Inflated bytes that the ratio does not limit: tiny bodies of one repeated record compress without bound. */
export const inflateFreeBytes = 4 << 20;

/** Frames of a zstd body: writers that flush make one a flush, and each costs a decoder of its own. */
export const zstdFramesMax = 4_096;

/** Bytes of one record as it was sent. A record must fit a batch, and a batch a slab of the arena. */
export const recordMaxBytes = 1 << 20;

/**
 * Bytes after which a line ends its request while it still arrives. A line between the two limits is rejected
 * alone and its neighbours kept; a longer one is refused while less than 2 MiB of it are held.
 */
export const lineMaxBytes = recordMaxBytes + (512 << 10);

/**
 * Bytes of values of one record as stored. More than was sent where an outer part (the labels of a stream,
 * the attributes of a resource) is repeated in each record.
 */
export const recordStoredMaxBytes = 3 << 19;

/** Bytes beside a body for what is unescaped or composed: twice the longest record. */
export const scratchBytes = 4 << 20;

/** Bytes of a field's name. A longer one is kept in `_overflow`. */
export const fieldNameMaxBytes = 256;

/**
 * Fields of a record that become columns, those added by the request included; the others are kept in `_overflow`, however
 * many they are: only bytes are limited.
 */
export const fieldsMax = 1_000;

/** Fields of a line whose shape is learned: longer ones are so rare that they may be read name by name. */
export const shapeFieldsMax = 128;

/** Runs of bytes between values that a worker knows, about 200 bytes each; and those after one of them. */
export const shapeNodesMax = 4_096;
export const shapeChildrenMax = 32;

/** Lines of no known shape after which all shapes are forgotten: names may be in use that were not before. */
export const shapeMissesMax = 65_536;

/** Levels of objects that become dotted names; what lies deeper is kept as its JSON text. */
export const depthMax = 32;

/** Levels of nesting that are read at all. */
export const nestingMax = 128;

/** Fields that form a stream. Loki allows 15; a stream is a hint for sorting and sharing out, not a key. */
export const streamFieldsMax = 64;

/** Fields that a request may name as those of the time, or of the message. */
export const timeFieldsMax = 16;

/** Bytes of a stream's canonical text. Longer ones are no hint any more and would be repeated in each batch. */
export const streamTextMaxBytes = 8_192;

/** Streams whose text and shard a worker remembers for each tenant and way of forming them. */
export const streamsKept = 16_384;

/** Ways of forming streams (tenant, fields) that a worker remembers. */
export const streamTablesKept = 64;

/**
 * Stored bytes of a request for each byte of its body, beyond some that are free: outer parts (labels, attributes)
 * are repeated in each record, and a small request must not fill the memory of all.
 */
export const storedRatioMax = 32;
export const storedFreeBytes = 16 << 20;

/** What a record counts beside its values towards the stored bytes of its request: time, stream and offsets. */
export const recordOverheadBytes = 32;

/** Rejected records of one request; past this the request is refused whole, it is not what it says it is. */
export const rejectedMax = 100_000;

/** Rejected records whose line and reason are answered. */
export const errorsReportedMax = 100;

/** Bytes of a rejected record that are kept in `_rejected`. */
export const rejectedKeptBytes = 16 << 10;

/** Rejected records of one request that are kept, and their bytes; the others are only counted. */
export const rejectedKeptMax = 10_000;
export const rejectedKeptTotalBytes = 4 << 20;

/** Field names that a worker remembers before it starts anew between two requests. */
export const fieldNamesKept = 32_768;

/** Items of a bulk request: each is answered, and the answer is held in memory. */
export const bulkItemsMax = 200_000;

/** Bytes of the longest action of a bulk request: an index of 255 bytes, an id of 512, some parameters. */
export const bulkActionMaxBytes = 4_096;

/** Fields that a request adds to each record by `extra.NAME=VALUE`, and the bytes of one value. */
export const extraFieldsMax = 64;
export const extraValueMaxBytes = 4_096;

/** Bytes of an `Idempotency-Key`. */
export const idempotencyKeyMaxBytes = 256;

/** Tenants whose builders a worker keeps: each may hold some megabytes. */
export const tenantsKept = 8;

/** Limits that a service's settings narrow; none is wider than its constant above, but for `inflatedMaxBytes`. */
export interface IngestLimits {
  /** Bytes of a record as it was sent. */
  readonly recordMaxBytes: number;
  /** Fields of a record that become columns. */
  readonly fieldsMax: number;
  /** Bytes of a rejected record that are kept. */
  readonly rejectedKeptBytes: number;
  /** Bytes of a body after inflation. */
  readonly inflatedMaxBytes: number;
}

export const ingestLimitsDefault: IngestLimits = {
  recordMaxBytes,
  fieldsMax,
  rejectedKeptBytes,
  inflatedMaxBytes: bodyMaxBytes,
};

/** How long records are held for a shard that moves or has no owner: half of what shards remember keys of parts for. */
export const routeHoldMs = 5 * 60 * 1000;

/** The pause before parts are tried again that could not be stored; it doubles up to the longest. A change of owners ends it. */
export const routePauseMsMin = 20;
export const routePauseMsMax = 1_000;

/** Bytes of batches on the way to one other node: what it may have to take in at one time from each. */
export const routedBytesMax = 32 * 1024 * 1024;

/** Bytes of batches in one call: well below the longest message, and small enough for answers to come steadily. */
export const routedCallBytesMax = 4 * 1024 * 1024;
