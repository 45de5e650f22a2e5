import type { Entry, LineageStep, LogPoint, SegmentRef } from "./types.ts";

/**
 * What replicas of a shard say to each other: plain data but for the bodies of entries. One-way, in order while
 * a link lasts; whatever may go out only once something is on disk is sent by the step that takes the finished
 * write. The receiver knows the sender (`nodeId/diskId`) and the link from its transport. `epoch` is always that
 * of the owner who speaks or is answered.
 */
export type Message = OwnerMessage | FollowerMessage;

/** Said by an owner. `sentMs` is the owner's monotonic time, echoed by the answer: leases count from it. */
export type OwnerMessage =
  /** "Taking the shard over", 4: asks for the promise. Repeated until it is answered. */
  | {
      readonly kind: "announce";
      readonly epoch: number;
      /** `nodeId/diskId/incarnation`, as the znode has to name it. */
      readonly owner: string;
      readonly sentMs: number;
    }
  /** "Taking the shard over", 5: cut your log behind `to`, the end of the largest epoch both have. */
  | {
      readonly kind: "match";
      readonly epoch: number;
      readonly to: LogPoint;
      readonly sentMs: number;
    }
  /**
   * "Taking the shard over", 5, and "Moving": empty your log of this shard, it starts after `base`, which is the
   * owner's `sealedThrough`. Only to a replica that is not of the set: `version` is one of `/shards/<id>` that
   * shows it, and the replica checks that it has seen one as new.
   */
  | {
      readonly kind: "reset";
      readonly epoch: number;
      readonly base: LogPoint;
      /** The owner's steps through `base`. */
      readonly lineage: readonly LineageStep[];
      readonly version: number;
      readonly sentMs: number;
    }
  /** Entries behind `previous`; without any it asks for a sign of life and confirms what was committed. */
  | {
      readonly kind: "append";
      readonly epoch: number;
      /** The entry before the first of `entries`; where there are none, the last one sent. */
      readonly previous: LogPoint;
      readonly entries: readonly Entry[];
      /** The committed position. */
      readonly committed: number;
      /** What the manifest has sealed, and the revision of `hold` that holds it. */
      readonly sealedThrough: LogPoint;
      readonly sealedRevision: number;
      readonly sentMs: number;
    }
  /**
   * Segments to hold as verified copies; answered by `held`. `isWhole`: `add` is all there are, whatever else a
   * replica has of this shard is not needed. A later revision includes the earlier ones.
   */
  | {
      readonly kind: "hold";
      readonly epoch: number;
      readonly revision: number;
      readonly isWhole: boolean;
      readonly add: readonly SegmentRef[];
      /** Uuids of what was replaced, dropped, or never committed. */
      readonly remove: readonly string[];
      readonly sentMs: number;
    };

/** Said by a replica to the owner. `sentMs` echoes the latest message of this epoch that had one. */
export type FollowerMessage =
  /** The promise is on disk, and so is all of the log: nothing is in flight. */
  | {
      readonly kind: "promised";
      readonly epoch: number;
      /** `nodeId/diskId/incarnation`: whose live znode an expansion checks. */
      readonly incarnation: string;
      readonly lineage: readonly LineageStep[];
      readonly end: LogPoint;
      /** Highest position it knows to be committed. */
      readonly committed: number;
      /** It found damage before its committed position: it is not in sync, and has to be reset. */
      readonly isDamaged: boolean;
      /** Its disk is full or slow; so are those of later answers. */
      readonly isStrained?: boolean;
      readonly isSlow?: boolean;
      readonly sentMs: number;
    }
  /** Its reading of the znode is older than this epoch; it reads again and answers by itself. */
  | { readonly kind: "not-yet"; readonly epoch: number; readonly sentMs: number }
  /** It has promised a higher epoch, or the znode names another owner for this one. */
  | { readonly kind: "refused"; readonly epoch: number; readonly promised: number }
  /** `match` or `reset` was carried out and is on disk: the log ends at `end`, equal to the owner's. */
  | {
      readonly kind: "matched";
      readonly epoch: number;
      readonly end: LogPoint;
      readonly sentMs: number;
    }
  /** Everything through `durable` is on its disk; confirms the epoch. */
  | {
      readonly kind: "ack";
      readonly epoch: number;
      readonly durable: number;
      readonly isStrained?: boolean;
      readonly isSlow?: boolean;
      readonly sentMs: number;
    }
  /** An append began behind its end: `end` is the last it has. Or, `isOther`, its predecessor is another entry. */
  | {
      readonly kind: "behind";
      readonly epoch: number;
      readonly end: LogPoint;
      readonly isOther: boolean;
      readonly sentMs: number;
    }
  /** It holds verified copies of everything through this revision. */
  | {
      readonly kind: "held";
      readonly epoch: number;
      readonly revision: number;
      readonly sentMs: number;
    }
  /** It has stopped this shard with an error, and does not follow. */
  | { readonly kind: "halted"; readonly epoch: number; readonly reason: string };

const fromOwners: ReadonlySet<Message["kind"]> = new Set<OwnerMessage["kind"]>([
  ...(["announce", "match", "reset", "append", "hold"] as const),
]);

export function isOwnerMessage(message: Message): message is OwnerMessage {
  return fromOwners.has(message.kind);
}
