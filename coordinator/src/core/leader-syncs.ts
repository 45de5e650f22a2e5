import type { Outbox } from "./effects.ts";
import type { Ensembles } from "./ensemble.ts";
import type { LeaderLinks } from "./leader-links.ts";
import { syncsMax } from "./limits.ts";
import type { LinkId } from "./messages.ts";
import type { PeerId } from "./vote.ts";

interface Asked {
  readonly tag: number;
  /** Who asked: a learner, or the leader's own host. */
  readonly link: LinkId | undefined;
  /** What must be committed before the answer. */
  readonly zxid: number;
}

/**
 * Syncs that wait for a round of pings answered by a quorum: a leader that was deposed without knowing answers
 * none. Those that come during a round share the next one.
 */
export class LeaderSyncs<B, R> {
  readonly #self: PeerId;
  readonly #ensembles: Ensembles;
  readonly #links: LeaderLinks<B, R>;
  #waiting: (Asked & { readonly round: number })[] = [];
  /** The round of the newest pings. */
  #round = 0;
  #confirmed = 0;

  constructor(self: PeerId, ensembles: Ensembles, links: LeaderLinks<B, R>) {
    this.#self = self;
    this.#ensembles = ensembles;
    this.#links = links;
  }

  get size(): number {
    return this.#waiting.length;
  }

  get isFull(): boolean {
    return this.#waiting.length >= syncsMax;
  }

  add(asked: Asked, out: Outbox<B, R>): void {
    this.#waiting.push({ ...asked, round: this.#round + 1 });
    if (this.#confirmed === this.#round) this.#begin(out);
  }

  /** Repeats the round for links that are newer than it. */
  ping(out: Outbox<B, R>): void {
    for (const { id, stage } of this.#links.all()) {
      if (stage === "live")
        out.send.push({ to: id, message: { kind: "ping", round: this.#round } });
    }
  }

  /** Answers what may be answered, in the order it was asked for. */
  settle(committed: number, out: Outbox<B, R>): void {
    if (this.#waiting.length === 0) return;
    for (;;) {
      const round = this.#round;
      const holds = ({ pongRound }: { readonly pongRound: number }) => pongRound >= round;
      const { quorums } = this.#ensembles;
      if (this.#links.hasQuorum(this.#self, quorums, holds)) this.#confirmed = round;
      if (this.#confirmed < round || !this.#waiting.some((each) => each.round > round)) break;
      this.#begin(out);
    }
    const next = this.#waiting.findIndex(
      ({ zxid, round }) => round > this.#confirmed || zxid > committed,
    );
    this.#answer(next === -1 ? this.#waiting.length : next, out);
  }

  /** What was proposed last when the first of those was asked for that came before this proposal. */
  firstBefore(zxid: number): number | undefined {
    const first = this.#waiting[0];
    return first !== undefined && first.zxid < zxid ? first.zxid : undefined;
  }

  /**
   * Answers those that were asked for when no more than this had been proposed, all of which is committed. That a quorum has
   * a later proposal on disk says as much as a round of pings.
   */
  answerThrough(zxid: number, out: Outbox<B, R>): void {
    const next = this.#waiting.findIndex((each) => each.zxid > zxid);
    this.#answer(next === -1 ? this.#waiting.length : next, out);
  }

  #answer(count: number, out: Outbox<B, R>): void {
    for (const { tag, link } of this.#waiting.slice(0, count)) {
      if (link === undefined) out.events.push({ kind: "synced", tag });
      else if (this.#links.get(link) !== undefined) {
        out.send.push({ to: link, message: { kind: "synced", tag } });
      }
    }
    this.#waiting = this.#waiting.slice(count);
  }

  #begin(out: Outbox<B, R>): void {
    this.#round++;
    this.ping(out);
  }
}
