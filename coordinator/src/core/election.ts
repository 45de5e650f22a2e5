import type { Timing } from "./limits.ts";
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
  readonly #timing: Timing;
  readonly #own: Vote;
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
    voters: Quorums,
    { own, round, timing }: { readonly own: Vote; readonly round: number; readonly timing: Timing },
  ) {
    this.#self = self;
    this.#voters = voters;
    this.#timing = timing;
    this.#own = voters.canLead(self) ? own : noVote;
    this.#round = round;
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
    if (!this.#voters.has(said.vote.leader) || said.state === "observing") return "nobody";
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
    if (said.round < this.#round) return "sender";
    const isNewRound = said.round > this.#round;
    if (isNewRound) {
      this.#round = said.round;
      this.#heard.clear();
      this.#back(this.#own);
    }
    this.#heard.set(from, said);
    this.#settled.delete(from);
    const isBetter =
      this.#voters.canLead(said.vote.leader) && voteSupersedes(said.vote, this.#vote);
    if (isBetter) this.#back(said.vote);
    return isNewRound || isBetter ? "everyone" : "nobody";
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
    return this.#voters.isQuorum((id) => {
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
