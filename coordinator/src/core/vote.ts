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

/** Whether a vote is for a better candidate: later epoch, then longer history, then higher id. */
export function voteSupersedes(vote: Vote, than: Vote): boolean {
  if (vote.epoch !== than.epoch) return vote.epoch > than.epoch;
  if (vote.zxid !== than.zxid) return vote.zxid > than.zxid;
  return vote.leader > than.leader;
}

export function voteEquals(a: Vote, b: Vote): boolean {
  return a.leader === b.leader && a.zxid === b.zxid && a.epoch === b.epoch;
}
