/** Requests of one connection that wait for the disk or for each other; above it its socket is not read. */
export const connectionQueueMax = 2_000;

/** Bytes of proposals that are not on disk yet; above it no socket is read. */
export const uncommittedBytesMax = 32 * 1024 * 1024;

/** Answers that a client has not taken; above it its requests are not read. */
export const unsentBytesMax = 1024 * 1024;

/** Bytes of one answer to several reads: each may ask for the same large znode. */
export const multiReadBytesMax = 16 * 1024 * 1024;

/** Events pile up without the client asking: above this the connection is closed, its session lives on. */
export const unsentBytesFatal = 64 * 1024 * 1024;

/** Ids that one connection may add; each is compared at every check. */
export const authIdsMax = 100;

/**
 * Bytes of one such id. A learner sends them along with each write; the leader takes no packet with an id of more than 64 KiB,
 * and what a hundred of them add to a txn stays small beside it.
 */
export const authIdBytesMax = 4 * 1024;

/** Connections from one address, Apache's default of `maxClientCnxns`. 0: any number. */
export const connectionsPerAddressDefault = 60;

/** Connections in all. Each costs a socket and a few kilobytes. */
export const connectionsMax = 20_000;

/** Open files that clients do not get: connections of members on two ports, 576 each, and some hundred for all else. */
export const filesReserved = 1_500;

/** A client that has not sent its ConnectRequest by then is closed. */
export const connectWithinMs = 10_000;

/** A connection that is closed with a last answer may take this long to take it. */
export const closeWithinMs = 5_000;

/** A connection's answer buffer above this is not kept for the next turn. */
export const writerBytesKept = 64 * 1024;

/** A session's expiry is looked at this many times a tick, so that it is late by a quarter tick only. */
export const expiryStepsPerTick = 4;

/** Containers and TTL znodes that one step looks at: about a millisecond. */
export const expiringLooksPerStep = 10_000;

/** Of those, deletions that one step proposes, whatever the rate allows. */
export const expiriesPerStepMax = 1_000;

/** Apache's `znode.container.*` when the settings name none. */
export const containerCheckMsDefault = 60_000;
export const containersPerMinuteDefault = 10_000;

/** Connections of the admin server at once; each request is answered in one turn. */
export const adminConnectionsMax = 20;

/** A request to restore, which may be long, is there by then. */
export const adminRestoreMs = 600_000;

/** The head of a request of the admin server is there by then, or its connection is closed. */
export const adminRequestMs = 10_000;

/** Time between two looks at an ensemble's state above which the process did not run: nobody saw what was. */
export const unlookedMsMax = 10_000;

/** An availability record above this is none that was written here: that has some hundred bytes. */
export const availabilityFileBytesMax = 64 * 1024;

/** The record is written this long after a change at the earliest, and this often at least. */
export const availabilitySaveMsMin = 5_000;
export const availabilitySaveMsMax = 300_000;

/** The window of ΔZ/N and ΔZ/M: a minute, by the second. */
export const propagationSampleMs = 1_000;
export const propagationSamples = 60;

/** Four-letter words that are answered when the settings name none: those that change nothing and are short. */
export const wordsDefault: readonly string[] = [
  "ruok",
  "isro",
  "srvr",
  "stat",
  "mntr",
  "conf",
  "cons",
  "envi",
  "wchs",
  "dump",
];

/** ZooKeeper's trace mask as it begins: client requests, packets of servers, sessions and warnings. */
export const traceMaskDefault = 0x132n;

/** Session timeouts in ticks when the settings name none, as Apache's. */
export const sessionTicksMin = 2;
export const sessionTicksMax = 20;

/** What a txn takes in memory beside its bytes, about. */
export const entryOverheadBytes = 128;

/** A step of the consensus core's time, at most. An election waits two of them for a better candidate. */
export const coreTickMs = 25;

/** A snapshot that a leader sends: more is no tree that fits into this process. */
export const imageBytesMax = 8 * 1024 ** 3;

/** A member without a leader serves reads after this, or a tick, if it may. As Apache's. */
export const readOnlyAfterMs = 2_000;

/** A leader that stops waits this long for a quorum to take what it proposed. */
export const handOverMs = 2_000;
