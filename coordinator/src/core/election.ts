import type { Ensembles } from "./ensemble.ts";
import { roundMax, type Timing } from "./limits.ts";
import {
  type Notification,
  notificationsAgree,
  noVote,
  type PeerId,
  type Vote,
  voteEquals,
  voteSupersedes,
} from "./vote.ts";
import type { Quorums } from "./voters.ts";

/** Who leads, and in which round that was settled. */
export interface Decision {
  readonly vote: Vote;
  readonly round: number;
  /** Every voter has spoken, and none of them has any history. */
  readonly isFirstStart: boolean;
}

export type Told = "everyone" | "sender" | "nobody";

/**
 * ZooKeeper's fast leader election: each peer backs the best candidate it has heard of, and who is
 * backed by a quorum leads. A peer that comes late joins the leader that a quorum has. It sends nothing itself.
 */
export class Election {
  readonly #self: PeerId;
  readonly #voters: Quorums;
  /** Those of the ensemble in force. */
  readonly #active: Quorums;
  readonly #timing: Timing;
  readonly #own: Vote;
  /** Itself, when it votes in a coming ensemble only: a candidate if it has more than those that all know. */
  readonly #reserve: Vote | undefined;
  /** What peers said in this round, whether they look or have decided. */
  readonly #heard = new Map<PeerId, Notification>();
  /** What peers said that have a leader, of whichever round. */
  readonly #settled = new Map<PeerId, Notification>();
  #round: number;
  #vote: Vote;
  #quorumTicks = 0;
  #repeatIn = 1;
  #repeatEvery = 1;
  #joined: Decision | undefined;

  /** A peer that is no voter, or has no weight, backs nobody until it hears of a candidate. */
  constructor(
    self: PeerId,
    { quorums, active }: Ensembles,
    { own, round, timing }: { readonly own: Vote; readonly round: number; readonly timing: Timing },
  ) {
    this.#self = self;
    this.#voters = quorums;
    this.#active = active.voters;
    this.#timing = timing;
    this.#own = this.#active.canLead(self) ? own : noVote;
    this.#reserve = this.#own === noVote && quorums.canLead(self) ? own : undefined;
    // Who is no candidate takes whichever round the candidates are in.
    this.#round = this.#own === noVote ? 0 : round;
    this.#vote = this.#own;
    this.#back(this.#own);
  }

  get notification(): Notification {
    return { round: this.#round, vote: this.#vote, state: "looking" };
  }

  /**
   * Takes in what a peer says. Returns whom to tell what this peer now backs: everyone after a change of mind,
   * only the sender if that one is behind or has no vote.
   */
  hear(from: PeerId, said: Notification): Told {
    if (!this.#voters.has(from)) return said.state === "looking" ? "sender" : "nobody";
    if (!this.#mayLead(said.vote) || said.state === "observing") return "nobody";
    if (said.round > roundMax) return "nobody";
    if (said.state === "looking") return this.#hearLooking(from, said);
    this.#hearSettled(from, said);
    return "nobody";
  }

  /** Returns whether to say again what this peer backs. */
  tick(): boolean {
    this.#quorumTicks = this.#hasQuorum() ? this.#quorumTicks + 1 : 0;
    if (--this.#repeatIn > 0) return false;
    this.#repeatEvery = Math.min(this.#repeatEvery * 2, this.#timing.repeatTicksMax);
    this.#repeatIn = this.#repeatEvery;
    return true;
  }

  /** Who leads, once that is settled. */
  get decision(): Decision | undefined {
    if (this.#joined !== undefined) return this.#joined;
    const isFirstStart = this.#voters.isEveryone((id) => this.#isEmpty(id));
    const decision = { vote: this.#vote, round: this.#round, isFirstStart };
    if (this.#voters.isEveryone((id) => this.#backs(id))) return decision;
    const isSettled = this.#hasQuorum() && this.#quorumTicks >= this.#timing.settleTicks;
    return isSettled ? decision : undefined;
  }

  #hearLooking(from: PeerId, said: Notification): Told {
    // Two that do not count each other would go on telling each other for ever.
    if (said.round < this.#round) return this.#voters.has(this.#self) ? "sender" : "nobody";
    const isNewRound = said.round > this.#round;
    if (isNewRound) {
      this.#round = said.round;
      this.#heard.clear();
      this.#back(this.#own);
    }
    this.#heard.set(from, said);
    this.#settled.delete(from);
    const { leader } = said.vote;
    const best = this.#hasMore(said.vote) ? (this.#reserve as Vote) : said.vote;
    const canLead = this.#voters.canLead(leader) || !this.#voters.has(leader);
    const isBetter = canLead && this.#supersedes(best, this.#vote);
    if (isBetter) this.#back(best);
    return isNewRound || isBetter ? "everyone" : "nobody";
  }

  /** Who does not vote leaves it to the voters whom they know of: a change may have come that it has not heard of. */
  #mayLead({ leader }: Vote): boolean {
    if (this.#voters.has(leader)) return true;
    return leader !== noVote.leader && !this.#voters.has(this.#self);
  }

  /** Of two with the same history, the one that all know. */
  #supersedes(vote: Vote, than: Vote): boolean {
    const isKnown = this.#active.canLead(vote.leader);
    const isSame = vote.epoch === than.epoch && vote.zxid === than.zxid;
    if (isSame && isKnown !== this.#active.canLead(than.leader)) return isKnown;
    return voteSupersedes(vote, than);
  }

  #hasMore({ epoch, zxid }: Vote): boolean {
    const own = this.#reserve;
    return own !== undefined && (own.epoch === epoch ? own.zxid > zxid : own.epoch > epoch);
  }

  /** A leader that a quorum has, and that says so itself, is joined at once. */
  #hearSettled(from: PeerId, said: Notification): void {
    if (said.round === this.#round) {
      this.#heard.set(from, said);
      if (this.#isLedBy(this.#heard, said)) this.#join(said);
    }
    this.#settled.set(from, said);
    if (this.#isLedBy(this.#settled, said)) this.#join(said);
  }

  #join({ vote, round }: Notification): void {
    this.#joined = { vote, round, isFirstStart: false };
  }

  #isLedBy(heard: ReadonlyMap<PeerId, Notification>, said: Notification): boolean {
    const { leader } = said.vote;
    const isConfirmed =
      leader === this.#self ? said.round === this.#round : heard.get(leader)?.state === "leading";
    if (!isConfirmed) return false;
    // A quorum of the ensemble in force is enough to follow one: what that one may do, promises settle.
    return this.#active.isQuorum((id) => {
      const other = heard.get(id);
      return other !== undefined && notificationsAgree(other, said);
    });
  }

  #back(vote: Vote): void {
    this.#vote = vote;
    this.#heard.set(this.#self, this.notification);
    this.#quorumTicks = 0;
    this.#repeatIn = 1;
    this.#repeatEvery = 1;
  }

  #backs(id: PeerId): boolean {
    const said = this.#heard.get(id);
    return said !== undefined && said.round === this.#round && voteEquals(said.vote, this.#vote);
  }

  /** Who backs a candidate without history has none. */
  #isEmpty(id: PeerId): boolean {
    const said = this.#heard.get(id);
    return said?.state === "looking" && said.vote.zxid === 0 && said.vote.epoch === 0;
  }

  #hasQuorum(): boolean {
    return this.#voters.isQuorum((id) => this.#backs(id));
  }
}
