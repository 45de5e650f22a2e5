import { type PeerId, type Vote, voteEquals, voteSupersedes } from "./vote.ts";
import type { Voters } from "./voters.ts";

/** What peers that look for a leader tell each other. */
export interface Notification {
  /** Counts the elections a peer has been in; a vote counts only in its round. */
  readonly round: number;
  readonly vote: Vote;
}

/** Ticks that a quorum's choice is held open for a better candidate, unless everyone has spoken. */
export const settleTicks = 2;

/**
 * One election among peers that all look for a leader: each backs the best candidate it has heard
 * of, and who is backed by a quorum leads. A step of `Peer`: it sends nothing itself.
 */
export class Election {
  readonly #self: PeerId;
  readonly #voters: Voters;
  readonly #own: Vote;
  readonly #heard = new Map<PeerId, Vote>();
  #round: number;
  #vote: Vote;
  #quorumTicks = 0;

  constructor(self: PeerId, voters: Voters, own: Vote, round: number) {
    this.#self = self;
    this.#voters = voters;
    this.#own = own;
    this.#round = round;
    this.#vote = own;
    this.#heard.set(self, own);
  }

  get notification(): Notification {
    return { round: this.#round, vote: this.#vote };
  }

  /**
   * Takes in what a peer backs. Returns whom to tell what this peer now backs: everyone after a change of mind,
   * only the sender if that one is behind.
   */
  hear(from: PeerId, { round, vote }: Notification): "everyone" | "sender" | "nobody" {
    if (!this.#voters.has(from)) return "nobody";
    if (round < this.#round) return "sender";
    const isNewRound = round > this.#round;
    if (isNewRound) {
      this.#round = round;
      this.#heard.clear();
      this.#back(this.#own);
    }
    this.#heard.set(from, vote);
    const isBetter = voteSupersedes(vote, this.#vote);
    if (isBetter) this.#back(vote);
    return isNewRound || isBetter ? "everyone" : "nobody";
  }

  tick(): void {
    this.#quorumTicks = this.#hasQuorum() ? this.#quorumTicks + 1 : 0;
  }

  /** Who leads, once that is settled. */
  get decision(): Vote | undefined {
    if (this.#voters.isEveryone((id) => this.#backs(id))) return this.#vote;
    return this.#hasQuorum() && this.#quorumTicks >= settleTicks ? this.#vote : undefined;
  }

  #back(vote: Vote): void {
    this.#vote = vote;
    this.#heard.set(this.#self, vote);
    this.#quorumTicks = 0;
  }

  #backs(id: PeerId): boolean {
    const vote = this.#heard.get(id);
    return vote !== undefined && voteEquals(vote, this.#vote);
  }

  #hasQuorum(): boolean {
    return this.#voters.isQuorum((id) => this.#backs(id));
  }
}
