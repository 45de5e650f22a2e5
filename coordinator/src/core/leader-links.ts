import type { Outbox } from "./effects.ts";
import { linksMax } from "./limits.ts";
import type { LinkId, Message } from "./messages.ts";
import type { PeerId } from "./vote.ts";
import type { Quorums } from "./voters.ts";

/** A learner as its leader sees it. */
export interface Link {
  readonly id: LinkId;
  /** 0 until it has said who it is. */
  peer: PeerId;
  isObserver: boolean;
  stage:
    | "new"
    /** It has said who it is. */
    | "informed"
    /** It was told the epoch. */
    | "promising"
    /** It has promised the epoch. */
    | "promised"
    /** It was sent the history, and is sent what follows. */
    | "syncing"
    /** It has the history on disk. */
    | "live";
  /** The last txn that it had, and kept. */
  zxidLast: number;
  /** How far it was sent the history, for a newcomer that is sent no more than is on the leader's disk. */
  sentThrough: number;
  /** It was told that it may serve. */
  isUpToDate: boolean;
  silentTicks: number;
  /** The newest ping that it answered. */
  pongRound: number;
}

/** A learner as its leader tells of it. */
export interface LearnerView {
  readonly peer: PeerId;
  readonly isObserver: boolean;
  /** It has the leader's history on disk, and takes part. */
  readonly isSynced: boolean;
}

/** The links of a leader to its learners. */
export class LeaderLinks<B, R> {
  readonly #links = new Map<LinkId, Link>();

  get isFull(): boolean {
    return this.#links.size >= linksMax;
  }

  add(id: LinkId): void {
    const link: Link = {
      id,
      peer: 0,
      isObserver: false,
      stage: "new",
      zxidLast: 0,
      sentThrough: 0,
      isUpToDate: false,
      silentTicks: 0,
      pongRound: 0,
    };
    this.#links.set(id, link);
  }

  get(id: LinkId): Link | undefined {
    return this.#links.get(id);
  }

  delete(id: LinkId): void {
    this.#links.delete(id);
  }

  /** As they are now, whatever the caller does to them. */
  all(): readonly Link[] {
    return [...this.#links.values()];
  }

  /** How many have said an id for which this holds. */
  count(holds: (peer: PeerId) => boolean): number {
    return this.all().filter(({ stage, peer }) => stage !== "new" && holds(peer)).length;
  }

  /** Those that have said who they are. */
  views(): readonly LearnerView[] {
    return this.all()
      .filter(({ stage }) => stage !== "new")
      .map(({ peer, isObserver, stage }) => ({ peer, isObserver, isSynced: stage === "live" }));
  }

  /** Whether the voters with this leader's history, itself included, that are still linked are a quorum. */
  hasQuorum(self: PeerId, voters: Quorums, holds: (link: Link) => boolean = () => true): boolean {
    const linked = new Set([self]);
    for (const link of this.#links.values()) {
      if (link.stage === "live" && !link.isObserver && holds(link)) linked.add(link.peer);
    }
    return voters.isQuorum((id) => linked.has(id));
  }

  toFollowers(message: Message<B, R>, out: Outbox<B, R>): void {
    for (const link of this.#links.values()) {
      if (isFollower(link)) out.send.push({ to: link.id, message });
    }
  }

  /** As `all`, without a copy: none may come or go meanwhile. */
  each(): Iterable<Link> {
    return this.#links.values();
  }

  /** To everyone that has, or is about to have, the leader's history. */
  toLearners(message: Message<B, R>, out: Outbox<B, R>): void {
    this.toFollowers(message, out);
    this.toObservers(message, out);
  }

  toObservers(message: Message<B, R>, out: Outbox<B, R>): void {
    for (const { id, stage, isObserver } of this.#links.values()) {
      const isSent = isObserver && (stage === "syncing" || stage === "live");
      if (isSent) out.send.push({ to: id, message });
    }
  }
}

/** Whether it is sent what is proposed. */
export function isFollower({ isObserver, stage }: Link): boolean {
  return !isObserver && (stage === "syncing" || stage === "live");
}
