import type { Clock } from "../../../kit/src/clock.ts";
import type { Logger } from "../../../kit/src/logger.ts";
import type { Timing } from "../core/limits.ts";
import type { Event, Peer, Role, ZabState } from "../core/peer.ts";
import type { Membership } from "../quorum/members.ts";
import type { ForwardedRequest, QuorumEvents, QuorumNetwork } from "../quorum/ports.ts";
import type { Outcome } from "../tree/tree.ts";
import type { TxnEntry } from "../wire/txns.ts";

export type ReplicaEvent = Event<ForwardedRequest>;

/** What the core tells of its leader and of its learners. */
export type QuorumView = Pick<
  Peer<never>,
  "zabState" | "leaderId" | "learners" | "pendingSyncs" | "ensemble"
>;

export interface ReplicaEvents {
  /** A txn is committed and applied; in order of zxid. */
  onApplied(zxid: number, entry: TxnEntry, outcome: Outcome): void;
  /** After all that one step committed. */
  onCommitEnd(): void;
  /** What this member is from now on. The tree may be another one. */
  onRole(role: Role): void;
  /** After each step of the core. */
  onStepped(state: ZabState): void;
  /** What another member asks of the leader, or answers. */
  onEvent(event: ReplicaEvent): void;
  /** Nothing more can be promised: the disk failed. */
  onFailed(error: Error): void;
}

export interface ReplicaOptions {
  readonly dataDir: string;
  readonly dataLogDir: string | undefined;
  readonly digests: boolean;
  readonly serverId: number;
  readonly snapCount: number;
  readonly snapshotsKept: number;
  /** Committed txns at hand, for learners that lack no more. */
  readonly commitLogCount: number;
  readonly enforceQuota: boolean;
  /** Whether a session that the tree does not know may write. */
  readonly isLocal: (sessionId: bigint) => boolean;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly ensemble: ReplicaEnsemble | undefined;
}

export interface ReplicaEnsemble {
  /** As the file says; what was changed since is kept in the data directory. */
  readonly membership: Membership;
  /** A change that the file's writer had seen, and that may not be in force. */
  readonly membershipNext?: Membership | undefined;
  readonly reconfigEnabled: boolean;
  readonly standaloneEnabled: boolean;
  readonly timing: Timing;
  /** Of one step of `Timing`. */
  readonly tickMs: number;
  /** Its sockets are opened by `listen`. */
  readonly network: (members: () => Membership, events: QuorumEvents) => QuorumNetwork;
}
