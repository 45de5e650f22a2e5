import type { LinkId, Message } from "../../src/core/messages.ts";
import type { PeerId } from "../../src/core/vote.ts";
import type { Request } from "./leadership.ts";
import type { Body, Image } from "./state.ts";
import type { Timeline } from "./timeline.ts";

/** What goes over a link: a message, or a piece of a tree's image, of which the last brings the `snap` along. */
export type Frame =
  | { readonly kind: "message"; readonly message: Message<Body, Request> }
  | {
      readonly kind: "piece";
      readonly zxid: number;
      readonly image: Image;
      readonly isLast: boolean;
    };

export interface LinkEnd {
  readonly peer: PeerId;
  /** Which life of the peer it belongs to: a later one never hears of it. */
  readonly life: number;
}

interface Link {
  readonly id: LinkId;
  readonly learner: LinkEnd;
  readonly leader: LinkEnd;
  isCut: boolean;
  arrives: Record<"learner" | "leader", number>;
}

export interface NetworkHost {
  frame(to: LinkEnd, link: LinkId, frame: Frame): void;
  down(to: LinkEnd, link: LinkId): void;
}

/** Links that are FIFO and may be cut: what is under way is then lost from some point on. */
export class Network {
  readonly #timeline: Timeline;
  readonly #host: NetworkHost;
  readonly #links = new Map<LinkId, Link>();
  readonly #blocked = new Set<string>();
  #linkLast = 0;

  constructor(timeline: Timeline, host: NetworkHost) {
    this.#timeline = timeline;
    this.#host = host;
  }

  isBlocked(a: PeerId, b: PeerId): boolean {
    return this.#blocked.has(a < b ? `${a}-${b}` : `${b}-${a}`);
  }

  block(a: PeerId, b: PeerId): void {
    this.#blocked.add(a < b ? `${a}-${b}` : `${b}-${a}`);
    this.cutWhere(({ learner, leader }) => this.isBlocked(learner.peer, leader.peer));
  }

  heal(): void {
    this.#blocked.clear();
  }

  open(learner: LinkEnd, leader: LinkEnd): LinkId {
    const id = ++this.#linkLast;
    const { now } = this.#timeline;
    this.#links.set(id, {
      id,
      learner,
      leader,
      isCut: false,
      arrives: { learner: now, leader: now },
    });
    return id;
  }

  send(from: LinkEnd, id: LinkId, frame: Frame): void {
    const link = this.#links.get(id);
    if (link === undefined || link.isCut) return;
    const to = link.learner.peer === from.peer ? "leader" : "learner";
    const delay = this.#timeline.prng.chance(0.05) ? 200 : 5;
    const at = Math.max(
      link.arrives[to],
      this.#timeline.now + 1 + this.#timeline.prng.below(delay),
    );
    link.arrives[to] = at;
    this.#timeline.at(at, () => {
      if (!link.isCut) this.#host.frame(link[to], id, frame);
    });
  }

  /** Each end learns of it in its own time, if ever: a half-open link is found by silence. */
  cutWhere(holds: (link: Link) => boolean): void {
    for (const link of [...this.#links.values()]) if (holds(link)) this.#cut(link);
  }

  cut(id: LinkId): void {
    const link = this.#links.get(id);
    if (link !== undefined) this.#cut(link);
  }

  cutAny(): void {
    const links = [...this.#links.values()];
    if (links.length > 0) this.#cut(this.#timeline.prng.pick(links));
  }

  #cut(link: Link): void {
    link.isCut = true;
    this.#links.delete(link.id);
    for (const end of [link.learner, link.leader]) {
      const { prng } = this.#timeline;
      const delay = prng.chance(0.1) ? 4000 : prng.below(100);
      this.#timeline.after(delay, () => this.#host.down(end, link.id));
    }
  }
}
