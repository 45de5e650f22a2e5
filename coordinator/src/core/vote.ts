import type { Ensemble } from "./ensemble.ts";

/** A member of the ensemble: 1 to 255. */
export type PeerId = number;

/** Whom a peer wants to lead, and what that one's history is. */
export interface Vote {
  readonly leader: PeerId;
  /** The last txn in the candidate's log. */
  readonly zxid: number;
  /** The epoch in which the candidate last followed or led. */
  readonly epoch: number;
}

/** What a peer is doing when it says whom it backs. */
export type PeerState = "looking" | "following" | "leading" | "observing";

/** What peers tell each other about who leads. */
export interface Notification {
  /** Counts the elections a peer has been in: the logical clock. */
  readonly round: number;
  readonly vote: Vote;
  readonly state: PeerState;
  /** The ensemble that is in force as far as it knows. */
  readonly ensemble?: Ensemble;
}

/** What a peer backs that cannot lead: every candidate is better. */
export const noVote: Vote = { leader: 0, zxid: -1, epoch: -1 };

/** Whether a vote is for a better candidate: later epoch, then longer history, then higher id. */
export function voteSupersedes(vote: Vote, than: Vote): boolean {
  if (vote.epoch !== than.epoch) return vote.epoch > than.epoch;
  if (vote.zxid !== than.zxid) return vote.zxid > than.zxid;
  return vote.leader > than.leader;
}

export function voteEquals(a: Vote, b: Vote): boolean {
  return a.leader === b.leader && a.zxid === b.zxid && a.epoch === b.epoch;
}

/**
 * Whether two peers back the same leader. Peers that have one name it with the epoch it leads in, whichever
 * election and history made it leader.
 */
export function notificationsAgree(a: Notification, b: Notification): boolean {
  if (a.state === "looking" || b.state === "looking") {
    return a.round === b.round && voteEquals(a.vote, b.vote);
  }
  return a.vote.leader === b.vote.leader && a.vote.epoch === b.vote.epoch;
}
