/** Bytes of a znode that we write: well below a request's limit, so that a multi holds several. */
export const znodeBytesMax = 256 * 1024;

/** Bytes of all data in one multi: what a server takes in a request, less room for paths and headers. */
export const multiBytesMax = 900 * 1024;

/** Most shards of a cluster: each costs every router and every query a little, and the coordinator three znodes and their watches. */
export const shardsMax = 16_384;

/** Nodes of a cluster whose znodes are followed: more than there are numbers for, since a session may linger. */
export const nodesMax = 4_096;

/** Seals of all shards that lie in znodes before they are folded, shared out among the shards. */
const entriesOfClusterMax = 200_000;

/** Manifest entries of a shard that lie in znodes of their own; above it they fold into a few. */
export function entriesMax(shards: number): number {
  return Math.min(1_000, Math.max(16, Math.floor(entriesOfClusterMax / shards)));
}

/** Bytes of entries that are packed into one znode, as they are and packed: larger packs shrink better, and each must fit. */
export const foldRawBytesMax = 512 * 1024;
export const foldPieceBytesMax = 200 * 1024;

/** Wait before something is asked again that failed for another reason than a lost connection. */
export const retryMs = 500;

/**
 * Wait before the topology is read anew when it could not be followed for another reason than a lost connection, in milliseconds; twice as
 * long each time, up to the most of it: what is wrong may be so for hours, and all of it is read each time.
 */
export const followRetryMs = 1_000;
export const followRetryMsMax = 60_000;

/** Names of tenants: part of a path, of a directory and of a header. */
export const tenantPattern = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;

/** Records that may wait in the inbox of a tenant; each is a znode in the memory of every member. */
export const inboxRecordsMax = 100_000;

/** Bytes of data that may wait in the inbox of a tenant. */
export const inboxBytesMax = 64 * 1024 * 1024;

/** Records that are stored in one go: large enough for one commit to carry a second's inflow. */
export const inboxBatchRecordsMax = 4_000;

/** Bytes of records that are stored in one go; one record alone may be larger. */
export const inboxBatchBytesMax = 4 * 1024 * 1024;

/** Deletes in one multi: each is a txn's part on every member, and a failure repeats them one by one. */
export const inboxDeletesMax = 100;

/** Deleting multis that are on the way at a time. */
export const inboxDeletesInFlight = 8;

/**
 * How long a drainer waits after a change before it lists the inbox: a list of many names for one new
 * record would cost more than the record.
 */
export const inboxGatherMs = 20;

/** Names whose stat is asked for at a time. */
export const inboxStatsInFlight = 1_000;

/** Znodes of rules that are read at a time. */
export const rulesInFlight = 256;

/** How long changes of rules are gathered before they are read: far below the second in which they count. */
export const ruleGatherMs = 10;

/** How long what a person asked for waits for the coordinator, in milliseconds: a new leader is there in less, and longer nobody looks. */
export const personWaitMs = 10_000;

/** How long a change of a rule waits for the coordinator, before its author is told. */
export const ruleWriteMs = 10_000;

/** Versions of a section of settings that can be gone back to. */
export const configVersionsKept = 100;

/** Between two looks whether a node of our number has gone. */
export const nodeTakenPollMs = 200;

/** How long changes of the nodes are gathered before shards are placed anew: several often come at once. */
export const placementGatherMs = 300;

/** How long a new cluster waits for all of its founding nodes before it is placed on those that are there. */
export const foundingMs = 20_000;

/** Between two looks of the balancer at what no change tells it: a node that was away too long, loads to be evened out. */
export const placementTickMs = 5_000;

/** Requests for moves that are taken at a time; each is a part of one multi. */
export const movesTakenMax = 100;

/** How long a change of settings waits for the coordinator, in milliseconds. */
export const configWriteMs = 10_000;

/** Clocks agree that are no further apart, in milliseconds: retention counts in days, and a wrong clock is mostly wrong by more. */
export const clocksWithinMs = 10 * 60_000;

/** How often a node tells the others its clock: retention looks once a minute. */
export const clockSayMs = 10_000;

/** What a node told of its clock counts for so long: some times may be lost. */
export const clockTrustedMs = 60_000;
