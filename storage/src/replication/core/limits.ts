/** How long an owner may open cuts after it sent a message that was confirmed since, in milliseconds of its monotonic clock. */
export const readLeaseMs = 500;

/** What a new owner waits beyond its promise, so that no lease of the one before is left: clocks differ by less than a fifth. */
export const leaseWaitMs = 1.2 * readLeaseMs;

/** How long a cut waits for a lease: a round trip renews it, and after this a shard counts as without an owner. */
export const cutWaitMs = 1_000;

/** Cuts that wait for a lease: as many as a node has queries under way, and more. */
export const cutsWaitingMax = 1_024;

/** A member that answers nothing for so long is taken out of the set. */
export const replicaTimeoutMs = 2_000;

/** A member that answers but brings nothing to its disk for so long is taken out too: its disk hangs, and every append with it. */
export const replicaStallMs = 10_000;

/** A member that does not come to hold the files of a seal or merge for so long is taken out: seals would wait for ever, and logs fill up. */
export const holdStallMs = 300_000;

/** A member whose disk is slow is left out of a set that has so many without it: one disk alone is not worth being faster. */
export const membersBesideSlowMin = 2;

/** A sign of life is asked for when nothing was sent for so long: four chances within `replicaTimeoutMs`. */
export const heartbeatMs = 500;

/** After how long without an answer an announcement is sent again. */
export const repeatMs = 500;

/** After how long a replica whose log is being cut or emptied is asked anew: its disk may take its time. */
export const matchRepeatMs = 5_000;

/**
 * Who gets entries and has answered nothing for so long is announced to anew: it may have begun anew over the same link. Twice the time after
 * which a member is taken out, so that a busy one is not asked for its promise again and again.
 */
export const unheardMs = 2 * replicaTimeoutMs;

/** After how long a replica that has stopped is announced to anew: it may have been opened again over the same link. */
export const haltedRepeatMs = 2_000;

/** How long before the coordinator is asked again after it could not be, or did not settle a question. */
export const lookRetryMs = 250;

/** How often a replica in sync that hears of no owner looks for itself: watches come late or not at all. */
export const idleLookMs = 2_000;

/** Members try to acquire one after the other, by their place among the replicas, so that the first one mostly wins. */
export const acquireStaggerMs = 50;

/** A change of the set that was refused, as when the member to be added is gone, is not tried again for so long. */
export const changeRetryMs = 1_000;

/** A learner that is waited for and still is not at the committed position after so long is not asked to be added. */
export const joinTimeoutMs = 2_000;

/** A hand-over whose last entries are not committed after so long is given up, and appends go on. */
export const handOverTimeoutMs = 2_000;

/** Bytes on their way to one replica: eight of the longest entries, about what a link carries in a sync's time. */
export const windowBytesMax = 32 * 1024 * 1024;

/** Bytes of one message of entries: one of the longest, or many small ones. */
export const messageBytesMax = 4 * 1024 * 1024;

/** Entries of one message: a header and a body each, of which a link takes 4,096. */
export const messageEntriesMax = 2_000;

/** Bytes appended and not committed: what an owner with other members keeps at hand to send. */
export const uncommittedBytesMax = 64 * 1024 * 1024;

/** Epochs remembered in a shard's lineage: one a restart; the oldest go first. */
export const lineageStepsMax = 1_000;

/** How long after the last entries a follower notes on disk what is committed: as long as there are more, they carry it. */
export const committedPersistMs = 1_000;

/** How long before copies that could not be had are asked for again. */
export const fetchRetryMs = 1_000;

/** How long an owner waits for copies before it names all of them again: a message may have been dropped on the way. */
export const holdRepeatMs = 30_000;

/** For how long others hold back from a shard that its owner gives away by itself: a take-over is a few writes. */
export const transferMsDefault = 5_000;

/**
 * A hand-over away from a disk that is slow waits so long for its last entries. Then the shard is given up all the same: the others
 * have what is on its way to that disk, and whoever takes over commits it sooner.
 */
export const strainedHandOverTimeoutMs = 1_000;

/** An owner whose disk is full or slow hands over when it has reached the coordinator within so long: a tick or two. */
export const strainedReachMs = 1_000;

/** How long a member whose disk is full or slow leaves a shard without an owner to the others: some turns of theirs. */
export const strainedHoldMs = 1_000;

/** How long before an owner that could not give its shard to the one preferred tries again. */
export const handOverRetryMs = 5_000;

/** How often an owner for which something waits, or a replica that takes over, looks at its clock: a tenth of a lease. */
export const ownerTickMs = 50;

/** How often an owner whose others all get entries looks at its clock, and a follower for which something waits. */
export const calmTickMs = 250;

/** How long before a sealed state that could not be read is read again. */
export const loadRetryMs = 1_000;
