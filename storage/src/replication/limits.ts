/** Bytes of one read of another replica's file: a few milliseconds of a gigabit link, so that entries come in between. */
export const segmentReadBytesMax = 512 * 1024;

/** How long a write waits before it asks a full log again, in milliseconds. */
export const roomRetryMs = 250;

/** How long before files that could not be had from another replica are asked for again: the core asks. */
export const fetchTimeoutMs = 30_000;

/** How long before a damaged segment is asked for again that no other replica could give, in milliseconds. */
export const repairRetryMs = 10_000;

/**
 * How long before a shard is opened again whose replication failed, in milliseconds; twice as long each time, up to the most of it. Who
 * has lasted for longer than that begins anew.
 */
export const reopenMs = 1_000;
export const reopenMsMax = 60_000;

/** How long a start waits for its shards to be served somewhere, before it goes on without them. */
export const startWaitMs = 5_000;

/** How long a close waits for its shards to be taken over by others. */
export const drainWaitMs = 3_000;

/** How long before the core hears that the outcome of a commit is unknown, since the manifest is closed: it would ask again at once. */
export const unknownRetryMs = 250;

/** How long others than the target hold back after a hand-over, in milliseconds: it acquires within some round trips. */
export const handOverHoldMs = 2_000;

/** How long an append that was held back waits for news before it is tried again, in milliseconds. */
export const heldBackMs = 20;

/** How often it is looked whether the disk is strained. */
export const strainLookMs = 1_000;

/** A disk is slow when its slow syncs of so long a time took together as long as so many that are just slow. */
export const strainWindowMs = 60_000;
export const strainSyncs = 5;

/** How long a disk must have been neither full nor slow before it gets shards again: far longer than a move takes. */
export const strainCalmMs = 60_000;

/** The most of it, where the strain has come back again and again. */
export const strainCalmMsMax = 15 * 60_000;

/** How often it is looked whether shards have left this disk for long; where they may go sooner, more often. */
export const leftLookMs = 60_000;
export const leftLookMsMin = 100;
