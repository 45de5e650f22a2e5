import type { Message } from "./messages.ts";

/**
 * The face of the replication core: what goes into `ShardReplica.step` and what comes out. One replica of one
 * shard: owner, follower or learner. The core awaits nothing, reads no clock, draws no random number; its host
 * performs effects in the order given and hands in what came of them. Titles in quotation marks are the sections
 * of the design of shards from which a rule comes.
 */

/** An entry of a shard's log by its place. Position 0 of epoch 0 is before the first. */
export interface LogPoint {
  readonly epoch: number;
  readonly position: number;
}

/** Where an epoch's entries begin. */
export interface LineageStep {
  readonly epoch: number;
  readonly firstPosition: number;
}

/** An entry as the core sees it. It is written unchanged by every replica. */
export interface Entry {
  readonly epoch: number;
  readonly position: number;
  readonly previousEpoch: number;
  readonly previousPosition: number;
  /** The owner's committed position when it was appended. */
  readonly committed: number;
  readonly kind: "batch" | "epoch-start";
  /** What it counts for in windows: header and body. */
  readonly bytes: number;
  /** The host's: never looked into. */
  readonly body: unknown;
}

/** A segment file as its holders name it; `detail` is the host's. The checkpoint is one too. */
export interface SegmentRef {
  readonly uuid: string;
  readonly detail: unknown;
}

/** `/shards/<id>` and the owner znode below it, as one reading showed them. Replicas are `nodeId/diskId`. */
export interface ShardFacts {
  readonly version: number;
  readonly epoch: number;
  /** `nodeId/diskId/incarnation` of who acquired last; undefined after a hand-over and before the first. */
  readonly owner: string | undefined;
  /** To whom it was handed over. */
  readonly next: string | undefined;
  readonly transferMs: number;
  /** Who holds copies or shall, the set included. */
  readonly replicas: readonly string[];
  readonly inSync: readonly string[];
  /** The ephemeral owner znode; `isOwnSession`: of the session that reads. */
  readonly holder: { readonly name: string; readonly isOwnSession: boolean } | undefined;
  /** The epoch with which a person last accepted loss: what was committed in earlier ones may be no more. Absent without. */
  readonly lossEpoch?: number | undefined;
}

/** What a replica keeps beside its log, replaced as one. */
export interface ReplicaRecord {
  /** The highest epoch promised ("Members and epochs"). */
  readonly promised: number;
  readonly lineage: readonly LineageStep[];
  /** At least up to here the log is committed. Goes back only when the log is reset. */
  readonly committed: number;
}

/** What a replica finds on its disk when it starts. */
export interface ReplicaState extends ReplicaRecord {
  /** The log starts after this: what was let go as sealed, or the base of a learner. */
  readonly base: LogPoint;
  /** The last entry; `base` when there is none. */
  readonly end: LogPoint;
  /** Epochs of the entries that are there, from the first behind `base`: they are truer than `lineage`. */
  readonly entryEpochs: readonly LineageStep[];
  /** Highest `committed` of the entries that are there. */
  readonly entryCommitted: number;
  /** Damage at or before the committed position was found, in the log or in what it holds sealed. */
  readonly isDamaged: boolean;
}

export interface ReplicaOptions {
  /** `nodeId/diskId`. */
  readonly replica: string;
  /** `nodeId/diskId/incarnation` of this process. */
  readonly self: string;
  readonly state: ReplicaState;
  /** Below this many members in sync, appends are refused. `assign` changes it. */
  readonly minInSync: number;
  /** For tests only: rules that are broken on purpose, so that the simulator shows that it would notice. */
  readonly faults?: ReadonlySet<PlantedFault>;
}

/** One name a rule; each is one switch where the rule lives. For tests only. */
export type PlantedFault =
  | "version-check-skipped"
  | "acknowledged-before-fsync"
  | "older-epoch-accepted"
  | "no-truncation-on-return"
  | "log-end-read-early"
  | "shrink-assumed"
  | "expansion-not-waited-for"
  | "sealed-above-committed"
  | "dedupe-lost-at-fail-over"
  | "merge-without-check"
  | "wiped-disk-acquires"
  | "cut-without-lease"
  | "lease-without-union"
  | "dedupe-kept-after-truncation";

/** What came of a conditional write of the coordinator. */
export type MultiOutcome =
  /** `version`: that of `/shards/<id>` from now on; for seals and merges the one that was checked. */
  | { readonly kind: "done"; readonly version: number }
  /** The coordinator answered that it was not carried out. */
  | { readonly kind: "refused" }
  /** The connection was lost: it was carried out, was not, or still will be. */
  | { readonly kind: "unknown" };

/**
 * One atomic write, first of all `check(/shards/<id>, version)`. All of a shard go through one queue, one in
 * flight ("Sealing, merging, dropping").
 */
export type MultiOp =
  /**
   * "Taking the shard over", 2: delete a stale owner znode of this replica (`isHeld`), create owner, set epoch
   * and owner, next none, transferMs 0. `inSync` only for a recovery that accepts loss: the set from now on.
   */
  | {
      readonly kind: "acquire";
      readonly epoch: number;
      readonly owner: string;
      readonly isHeld: boolean;
      readonly inSync?: readonly string[];
    }
  /** "The in-sync set": set replicas and set; `live`: `nodeId/diskId/incarnation` whose live znodes are checked. */
  | {
      readonly kind: "change-set";
      readonly replicas: readonly string[];
      readonly inSync: readonly string[];
      readonly live: readonly string[];
    }
  /** "Moving": delete owner, set owner none, next, transferMs. Without `next` the owner only gives up. */
  | {
      readonly kind: "hand-over";
      readonly next: string | undefined;
      readonly transferMs: number;
    }
  /**
   * "Sealing": what `commit` (the host's, from `seal` or `replace`) names. `isRepeat`: an earlier try ended
   * unknown; the host first looks, after a barrier write, whether the manifest has it, and then says "done".
   */
  | {
      readonly kind: "manifest";
      readonly commit: ManifestCommit;
      readonly isRepeat: boolean;
    };

/** A change of the sealed state that the host has ready: files fsynced here, in file and directory. */
export interface ManifestCommit {
  /** Unique; the outcome names it. */
  readonly id: string;
  readonly kind: "seal" | "merge" | "drop";
  /** A seal's end: at or below `sealable` when it was begun. */
  readonly sealedThrough: LogPoint | undefined;
  /** New files, the checkpoint included: every member of the set holds them before the write. */
  readonly add: readonly SegmentRef[];
  /** Uuids that are no longer live when it is done. */
  readonly remove: readonly string[];
  /** The host's. */
  readonly detail: unknown;
}

/** Where a new owner finds the sealed state, read in the session that acquired. */
export interface SealedState {
  readonly sealedThrough: LogPoint;
  /** Every live segment, and the checkpoint. */
  readonly segments: readonly SegmentRef[];
  /** Whether verified copies of all of them are here. */
  readonly isHeld: boolean;
}

export type Input = CoordinatorInput | LinkInput | DiskInput | LocalInput;

/** From the coordinator. */
export type CoordinatorInput =
  /** The answer to a `look`: a barrier write, then a reading in the same session. */
  | { readonly kind: "view"; readonly look: number; readonly facts: ShardFacts }
  /** The coordinator could not be asked; the core asks again. */
  | { readonly kind: "view-failed"; readonly look: number }
  /** A reading without a barrier, of a watch: it may be old. */
  | { readonly kind: "seen"; readonly facts: ShardFacts }
  | { readonly kind: "outcome"; readonly multi: number; readonly outcome: MultiOutcome }
  /** The owner znode of this process is gone, or may be. */
  | { readonly kind: "owner-lost" }
  /** The session in which this process acquired is over; there is another. */
  | { readonly kind: "session-expired" }
  /** The live znode of a replica: its `nodeId/diskId/incarnation`, or undefined when there is none. */
  | { readonly kind: "live"; readonly replica: string; readonly incarnation: string | undefined };
/** From other replicas. */
export type LinkInput =
  /** There is a link with this number, or none. What was sent over an earlier one may be lost. */
  | { readonly kind: "link"; readonly replica: string; readonly link: number | undefined }
  | {
      readonly kind: "message";
      readonly from: string;
      readonly link: number;
      readonly message: Message;
    };
/** From the disk. */
export type DiskInput =
  /** This write and all before it are on disk. */
  | { readonly kind: "written"; readonly write: number }
  /** This record or a later one is on disk. */
  | { readonly kind: "persisted"; readonly record: number }
  /**
   * Entries from the position that was asked for, at least one. `gone`: the log does not hold it any more.
   * `damaged`: it should, and does not.
   */
  | {
      readonly kind: "entries-read";
      readonly read: number;
      readonly result: readonly Entry[] | "gone" | "damaged";
    }
  /** `epochStart`: the body of the entry that begins the epoch, and what it counts for. */
  | {
      readonly kind: "loaded";
      readonly load: number;
      readonly sealed: SealedState;
      readonly epochStart: { readonly bytes: number; readonly body: unknown };
    }
  /** The sealed state or the log could not be read. `isPassing`: worth another try. */
  | {
      readonly kind: "load-failed";
      readonly load: number;
      readonly reason: string;
      readonly isPassing: boolean;
    }
  /** Copies of everything through this revision are here and verified. */
  | { readonly kind: "segments-held"; readonly revision: number }
  /** They could not be had; asked for again in a while. */
  | { readonly kind: "segments-failed"; readonly revision: number }
  /** A write or a sync failed: the disk is out of use until a restart ("Members and epochs"). */
  | { readonly kind: "disk-failed"; readonly reason: string }
  /** Damage was found at or before the committed position ("The in-sync set"). */
  | { readonly kind: "damage-found"; readonly reason: string };
/** From this node. */
export type LocalInput =
  /** The first input. */
  | { readonly kind: "start" }
  /** Wanted at `wakeAtMs`, harmless at any time. */
  | { readonly kind: "tick" }
  /** One batch; answered by `append` and later `committed`, or by `refuse`, in the same step. */
  | { readonly kind: "append"; readonly bytes: number; readonly body: unknown }
  /** Answered by `cut-opened` or `cut-refused` with the same request, at most `cutWaitMs` later. */
  | { readonly kind: "cut"; readonly request: number }
  /** Answered by `commit-settled`. */
  | { readonly kind: "commit"; readonly commit: ManifestCommit }
  /**
   * Who shall hold copies, and who shall own it (no preference: undefined): the balancer's orders. The owner
   * adds learners, expands, hands over, shrinks ("Moving").
   */
  | {
      readonly kind: "assign";
      readonly replicas: readonly string[];
      readonly owner: string | undefined;
      readonly minInSync: number;
    }
  /**
   * Gives the shard to a member of the set, or to any that can take it. Answered by `hand-over-settled`.
   * `isDrain`: this process goes away; it does not acquire again, and gives up even if nobody can take it.
   */
  | {
      readonly kind: "hand-over";
      readonly target: string | undefined;
      readonly transferMs: number;
      readonly isDrain: boolean;
    }
  /**
   * A person accepts loss: this replica becomes the set. Refused while the session of a member lives:
   * `liveMembers` is what was read after a barrier write. Answered by `recover-settled`.
   */
  | { readonly kind: "recover"; readonly liveMembers: readonly string[] }
  /**
   * The disk of this replica is full or slow, or is not any more: as an owner it hands the shard over to a member whose disk is
   * neither, and does not take one over that such a member could. As a member whose disk is slow (`isSlow`) it is left out of the
   * set where others are enough. The host says so no more often than moves are worth it.
   */
  | { readonly kind: "strain"; readonly isStrained: boolean; readonly isSlow?: boolean }
  /**
   * The shard has been elsewhere for long, as far as is known, and what of it is held may go: whoever was followed has to announce
   * itself anew, and to name all segments anew.
   */
  | { readonly kind: "left" }
  /** After `left`: nothing of the shard is here any more but its log, which is emptied unless somebody has this replica follow again. */
  | { readonly kind: "let-go" }
  /** The process ends: nothing comes after. */
  | { readonly kind: "stop" };

/** Why an append was not taken. What was taken and never said to be committed has an unknown outcome. */
export type RefuseReason =
  /** Another is owner, or is to be: ask `owner`, or whoever the znode names above `epoch` ("Moving"). */
  | "moved"
  /** This replica is taking it over or handing it over: hold it back and ask again. */
  | "waiting"
  /** Fewer members in sync than `minInSync`: 503. */
  | "below-min-in-sync"
  /** So many bytes are not committed yet: hold it back until some are. */
  | "window"
  | "stopped";

/** What this replica is to its shard. */
export type Role =
  /** Knows of no owner, or of none yet. */
  | { readonly kind: "waiting" }
  | { readonly kind: "follower"; readonly owner: string; readonly epoch: number }
  /** Takes the shard over: nothing is taken, nothing is shown. */
  | { readonly kind: "taking"; readonly epoch: number }
  /** Appends are taken if `isTaking`; below `minInSync` they are not, and those pending are told 503. */
  | { readonly kind: "serving"; readonly epoch: number; readonly isTaking: boolean }
  | { readonly kind: "handing-over"; readonly epoch: number }
  | { readonly kind: "stopped"; readonly reason: string };

export type Effect =
  // To the disk: `append`, `truncate` and `reset-log` in one order; `written` names their `write`.
  /** `isOwn`: entries of this owner, whose keys count from here on; else copies, written unchanged. */
  | {
      readonly kind: "append";
      readonly write: number;
      readonly isOwn: boolean;
      readonly entries: readonly Entry[];
    }
  /** What lies behind `after` is no entry of the shard any more: an appended record ("Members and epochs"). */
  | { readonly kind: "truncate"; readonly write: number; readonly after: LogPoint }
  /** No entry of the shard is left; the next follows `base`. */
  | { readonly kind: "reset-log"; readonly write: number; readonly base: LogPoint }
  /**
   * "Storing once": takes back what entries behind this position did in this process: keys, tombstones, memtable.
   * Given with `truncate`, `reset-log`; whoever waits for such an entry is told to append anew.
   */
  | { readonly kind: "forget"; readonly after: number }
  /** Replaces the record; `persisted` names it. A later one includes the earlier. */
  | { readonly kind: "persist"; readonly record: number; readonly state: ReplicaRecord }
  /** For a replica that lags: entries of the own log from a position on, about so many bytes. */
  | {
      readonly kind: "read";
      readonly read: number;
      readonly from: number;
      readonly bytesMax: number;
    }
  /** The log may let go of entries up to here: they are held as verified segments. */
  | { readonly kind: "free"; readonly through: LogPoint }
  // To the coordinator.
  /** A barrier write, then a reading. */
  | { readonly kind: "look"; readonly look: number }
  /** `version` undefined is of a planted fault: the check is left out. */
  | {
      readonly kind: "multi";
      readonly multi: number;
      readonly version: number | undefined;
      readonly op: MultiOp;
    }
  // To other replicas.
  | {
      readonly kind: "send";
      readonly to: string;
      readonly link: number;
      readonly message: Message;
    }
  /** A follower's: have verified copies, fetched from `from`; answered by `segments-held`. See `hold`. */
  | {
      readonly kind: "hold-segments";
      readonly from: string;
      readonly revision: number;
      readonly isWhole: boolean;
      readonly add: readonly SegmentRef[];
      readonly remove: readonly string[];
    }
  // To this node.
  /**
   * "Taking the shard over", 3: reads the sealed state in the session that acquired, and brings tables and
   * memtable to what is sealed and logged up to `end`; what the process still has from an earlier epoch may stay,
   * `forget` has taken back what is not so. `withKeys` is false for a planted fault only: keys are left out.
   */
  | {
      readonly kind: "load";
      readonly load: number;
      readonly epoch: number;
      readonly end: LogPoint;
      readonly withKeys: boolean;
    }
  /**
   * Whenever it changes. While it is taken over anew by the same process, what was appended stays pending, and a
   * later `committed` covers it; once it is "follower", "waiting" or "stopped" its outcome is unknown, as is that
   * of appends pending when a set falls below `minInSync`.
   */
  | { readonly kind: "role"; readonly role: Role }
  /** Everything up to here is committed: acknowledged and shown at the owner, known at a follower. */
  | { readonly kind: "committed"; readonly position: number }
  | {
      readonly kind: "refuse";
      readonly body: unknown;
      readonly reason: RefuseReason;
      /** The highest epoch known. */
      readonly epoch: number;
      readonly owner: string | undefined;
    }
  /** The host pins segments and memtable up to `committed` in the same step ("Reading"). */
  | {
      readonly kind: "cut-opened";
      readonly request: number;
      readonly epoch: number;
      readonly committed: number;
    }
  | {
      readonly kind: "cut-refused";
      readonly request: number;
      readonly reason: "not-owner" | "no-lease";
      readonly owner: string | undefined;
    }
  /** `refused`: it is not in the manifest and never will be. `unknown`: its files must stay. */
  | {
      readonly kind: "commit-settled";
      readonly id: string;
      readonly outcome: "committed" | "refused" | "unknown";
    }
  | { readonly kind: "hand-over-settled"; readonly isDone: boolean; readonly reason: string }
  /** `committed`: what this replica knew to be committed before; with `isDone` what lies behind may be lost. */
  | {
      readonly kind: "recover-settled";
      readonly isDone: boolean;
      readonly reason: string;
      readonly end: LogPoint;
      readonly committed: number;
    }
  /** Only a person or a restart gets it going again. */
  | { readonly kind: "halt"; readonly reason: string };

/**
 * A replica of a shard (`ShardReplica` in replica.ts). `nowMs` is the monotonic clock, read after the input came in:
 * a pause between the two can then only shorten a lease.
 */
export interface Replica {
  step(nowMs: number, input: Input): readonly Effect[];
  /** When a tick is wanted, on the monotonic clock; undefined: not at all, as with a set of one at rest. */
  readonly wakeAtMs: number | undefined;
  /** Up to where a seal may go: the committed position. */
  readonly sealable: LogPoint;
  readonly status: ReplicaStatus;
}

/** How a shard stands, for status, metrics and alerts. */
export interface ReplicaStatus {
  readonly role: Role;
  readonly promised: number;
  readonly end: LogPoint;
  readonly committed: number;
  readonly members: readonly string[];
  readonly isChanging: boolean;
  /** The owner's: every other member and learner. */
  readonly others: readonly {
    readonly replica: string;
    readonly isMember: boolean;
    readonly durable: number;
    readonly phase: string;
  }[];
}
