/** Bytes of one slab of the arena: the unit of claiming and freeing, and the longest batch. */
export const slabBytes = 4 * 1024 * 1024;

/** Bytes of the arena by default: a full block for each of four shards, as much again while those are sealed, and slabs that both share. */
export const arenaBytesDefault = 96 * 1024 * 1024;

/** Batches start at multiples of this, so that typed arrays can be laid over them. */
export const batchAlign = 8;

/** How long a dedupe key is known, in log time: a router gives up after half of it. */
export const dedupeWindowMs = 10 * 60 * 1000;

/** Keys leave in generations of this length: the finer, the more tables a look-up asks. */
export const dedupeGenerationMs = 200 * 1000;

/** Dedupe keys a shard knows; beyond, new keyed parts wait rather than a key going early. */
export const dedupeKeysMax = 4_000_000;

/** `Idempotency-Key`s a shard knows: each is a few strings, unlike the keys of parts. */
export const idempotencyKeysMax = 200_000;

/** Sources a shard knows the ends of: they never expire, and the checkpoint holds them all. */
export const sourcesMax = 65_536;

/** How long an append waits for a shard that is being taken over, before it is told 503. */
export const servingWaitMs = 5_000;

/** How long to wait before asking again for shards that could not be acquired. */
export const takeoverRetryMs = 2_000;

/** The number by which the store itself writes to the arena, while it reads its log at start. */
export const storeArenaWriter = 1_000_000;

/** Unreferenced files younger than this may belong to a commit whose outcome is still unknown. */
export const orphanAgeMs = 24 * 60 * 60 * 1000;

/** Partitions of one segment: a manifest entry must fit a znode of 256 KiB with the longest names. */
export const partitionsMax = 400;

/** Records received further apart than this are not merged into one file, so that age drops whole files. */
export const mergeReceiptSpanMs = 24 * 60 * 60 * 1000;

/** How long records that were already past their retention when they came are kept all the same. */
export const oldRecordsKeepMs = 24 * 60 * 60 * 1000;

/** Batches of one part of a cut, and their bytes: a worker's turn of some milliseconds. */
export const cutPartBatchesMax = 64;
export const cutPartBytesMax = 2 * 1024 * 1024;

/** How often it is looked whether something is to be sealed or merged. */
export const maintenanceTickMs = 250;

/** The share of the disk in use at which records are refused: what is left is for seals, merges and the coordinator. */
export const diskFullShare = 0.95;

/** Refused until less than this share is in use. */
export const diskResumeShare = 0.94;

/** How often it is looked how full the disk is: at a gigabyte a second, an ordinary disk's last twentieth takes longer. */
export const diskLookEveryMs = 1_000;

/** The trash may hold thousands of files: it is measured at each so manyth look, unless the disk is full. */
export const trashLookEvery = 5;

/** How often retention is looked at: files go whole, and days are long. */
export const retentionEveryMs = 60_000;

/** The pause after a seal or merge that failed. */
export const maintenanceRetryMs = 5_000;

/**
 * A shard with so many records, or bytes of batches, is sealed: they make a full block. Earlier, each record would be
 * merged once more often; later, memory would hold what a worker could be at.
 */
export const sealRows = 32_000;
export const sealBytes = 12 * 1024 * 1024;

/** The share of the arena in use at which shards are sealed that are not full: the rest takes what comes meanwhile. */
export const sealArenaShare = 0.5;

/** Unless the shards themselves hold less than this share: then seals would not free what is pinned. */
export const sealArenaBytesShare = 0.1;

/**
 * A request has waited so long for room: then one seal more than usual is made. Not at once, since another thread has to
 * compile all that seals do, which takes about two seconds of a core and 60 MiB; half of what requests wait at most.
 */
export const sealMoreAfterMs = 2_500;

/** Free bytes of the arena below which requests wait: a few slabs, one for each thread that decodes. */
export const arenaFreeBytesMin = 4 * slabBytes;

/**
 * Requests wait until this share of the arena is free, so that seals which lag do not make all of its pages resident;
 * the rest is for large requests, and for what threads decode meanwhile.
 */
export const arenaFreeShareMin = 0.4;

/** The share of the arena that one request waits for at most: slabs that are being filled are never free. */
export const arenaRequestShareMax = 0.75;

/** How long closing waits for a seal or merge under way: its work is not lost, only done again. */
export const closeWaitMs = 5_000;

/** While shards fill up one after the other, merges wait for so many alike segments, and write no more than so many bytes. */
export const mergeBusyCount = 16;
export const mergeBusyBytesMax = 32 * 1024 * 1024;

/** A shard has filled up within this time: records come in fast. */
export const mergeBusyMs = 1_000;

/** Until so long after that, merges stay below so many bytes: the next burst needs the workers. */
export const mergeCalmMs = 15_000;
export const mergeSoonBytesMax = 64 * 1024 * 1024;

/** Batches in memory at which a shard is sealed, however small they are: queries look at each. */
export const sealBatchesMax = 512;

/** How long what is deleted may lie in memory, hidden, before it is sealed, so that it can be taken out. */
export const sealDeletedMs = 5_000;

/** Tombstones of a tenant that are not done: each is looked at for each part of each query. */
export const tombstonesMax = 1_000;

/** A shard that has been quiet for this long is sealed from fewer batches or bytes on: nothing will join them soon. */
export const sealQuietMs = 1_000;
export const sealQuietBatches = 64;
export const sealQuietBytes = 1024 * 1024;

/** How long half of the log may be in use, after seals were asked for, before what its first file still has is written again. */
export const rewriteAfterMs = 10_000;

/** How far a node that is alone trusts receipt times beyond its clock: clocks within ten minutes agree. */
export const clockFloorMs = 10 * 60_000;

/** How long clocks may disagree before it is logged: at start nodes have yet to hear of each other's. */
export const clockDoubtMs = 60_000;

/** How long a delete waits for damaged files to be repaired before it ends without them, in milliseconds: many times what a copy of the largest one takes. */
export const stuckWaitMs = 10 * 60_000;

/** Damaged files of a shard that the progress of a delete names: enough to find where the trouble is. */
export const stuckNamedMax = 20;

/** Bytes of segment files that are read in one turn when they are scrubbed: some milliseconds of a worker. */
export const scrubPieceBytes = 2 * 1024 * 1024;

/** The fewest bytes a second that are scrubbed: a small store is through in minutes. */
export const scrubBytesPerSecondMin = 64 * 1024;

/** The most: a tenth of what a plain disk reads. */
export const scrubBytesPerSecondMax = 8 * 1024 * 1024;

/** How long at least before all is scrubbed again, in milliseconds. */
export const scrubIdleMs = 60_000;

/** How long before a damaged copy is asked for again, in milliseconds, and how often; then the next scrub finds it again. */
export const scrubRepairRetryMs = 10_000;
export const scrubRepairTriesMax = 30;
