import type { Ensemble } from "./ensemble.ts";
import type { Proposal } from "./proposals.ts";
import type { PeerId } from "./vote.ts";

/** A connection between a learner and a leader, as its host numbers it. What it carries stays in order. */
export type LinkId = number;

/** A session that was heard of at a learner since the last ping. */
export interface Touch {
  readonly sessionId: bigint;
  readonly timeoutMs: number;
}

/** What a learner, a follower or an observer, says to its leader. `R` is a client's request. */
export type LearnerMessage<R> =
  | {
      readonly kind: "learnerInfo";
      readonly peer: PeerId;
      readonly isObserver: boolean;
      readonly acceptedEpoch: number;
      /** Of the ensemble that it knows to be in force. */
      readonly ensembleVersion?: number;
    }
  /** Without an epoch: it was promised before, so this is no promise. */
  | {
      readonly kind: "ackEpoch";
      readonly currentEpoch: number | undefined;
      readonly zxidLast: number;
    }
  /** The leader's history is on disk, and its epoch too. */
  | { readonly kind: "ackNewLeader"; readonly epoch: number }
  /** Everything through this zxid is on disk. */
  | { readonly kind: "ack"; readonly zxid: number }
  | { readonly kind: "pong"; readonly round: number; readonly touched: readonly Touch[] }
  | { readonly kind: "request"; readonly request: R }
  | { readonly kind: "revalidate"; readonly sessionId: bigint; readonly timeoutMs: number }
  | { readonly kind: "sync"; readonly tag: number };

/** What a leader says to a learner. `B` is the body of a txn. */
export type LeaderMessage<B> =
  | { readonly kind: "leaderInfo"; readonly epoch: number }
  /** What the learner has is right as far as it goes. */
  | { readonly kind: "diff" }
  /** What the learner has is right through this zxid, and nothing after it. */
  | { readonly kind: "trunc"; readonly zxid: number }
  /**
   * A snapshot takes the place of what the learner has. The host sends the image of its tree as it is
   * after the step; the learner's host gives this to its core once the whole image has arrived.
   */
  | { readonly kind: "snap"; readonly zxid: number }
  | { readonly kind: "proposal"; readonly proposals: readonly Proposal<B>[] }
  /** Everything through this zxid is committed. With a leader: it is a change of the ensemble, after which that one leads. */
  | { readonly kind: "commit"; readonly zxid: number; readonly leader?: PeerId }
  /** To observers: committed txns. With a leader: the last of them is a change of the ensemble, as in `commit`. */
  | {
      readonly kind: "inform";
      readonly proposals: readonly Proposal<B>[];
      readonly leader?: PeerId;
    }
  /** With the ensemble that is in force once this is acknowledged by a quorum, and by one of what it changes. */
  | { readonly kind: "newLeader"; readonly epoch: number; readonly ensemble?: Ensemble }
  | { readonly kind: "upToDate" }
  | { readonly kind: "ping"; readonly round: number }
  | { readonly kind: "revalidated"; readonly sessionId: bigint; readonly isValid: boolean }
  | { readonly kind: "synced"; readonly tag: number };

export type Message<B, R> = LearnerMessage<R> | LeaderMessage<B>;
