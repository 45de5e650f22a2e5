import type { Timeline } from "./timeline.ts";

/** One process at the network. A later process of the same node is another one. */
export interface Endpoint<Frame> {
  /** `nodeId/diskId`: no two processes that run at once have the same. */
  readonly replica: string;
  /** What partitions go by. */
  readonly node: string;
  readonly isDown: boolean;
  /** It does not answer: no link is made, and those that are there die by silence. */
  readonly isPaused: boolean;
  /** Undefined: there is no link now. Another link of the same replica ends the one before. */
  linked(replica: string, link: number | undefined): void;
  received(replica: string, link: number, frame: Frame): void;
}

/** One end's view of a link: it hears of its beginning and of its end in its own time. */
interface End<Frame> {
  readonly at: Endpoint<Frame>;
  state: "opening" | "up" | "down";
  /** When the last frame that is under way to this end arrives. */
  arrives: number;
  /** Nothing that is sent to this end arrives any more, and nobody knows. */
  isDeaf: boolean;
}

interface Link<Frame> {
  readonly id: number;
  readonly ends: readonly [End<Frame>, End<Frame>];
  isCut: boolean;
}

/** After this long a link over which nothing comes is given up by both ends. */
const silenceMs = 2000;

/**
 * Links between processes: connections, each way first in, first out. One may be cut, whereupon each end learns of it in
 * its own time and what was under way is lost from some point on; be half-open; stall; or be blocked by a partition.
 */
export class Network<Frame> {
  readonly #timeline: Timeline;
  readonly #endpoints = new Set<Endpoint<Frame>>();
  readonly #links = new Set<Link<Frame>>();
  /** `from to`, by node: what is sent that way is lost. */
  readonly #blocked = new Set<string>();
  /** How much later what is sent to a node, or by it, arrives. */
  readonly #slowMs = new Map<string, number>();
  #linkLast = 0;
  #isCalm = false;

  constructor(timeline: Timeline) {
    this.#timeline = timeline;
  }

  add(endpoint: Endpoint<Frame>): void {
    this.#endpoints.add(endpoint);
    for (const other of this.#endpoints)
      if (other !== endpoint) this.#connectLater(endpoint, other);
  }

  /** The process is no more; its peers find out, sooner or later. */
  remove(endpoint: Endpoint<Frame>): void {
    this.#endpoints.delete(endpoint);
    for (const link of this.#links) {
      if (link.ends.some(({ at }) => at === endpoint)) this.#cut(link);
    }
  }

  /** Whether what `from` sends gets to `to`, both nodes. */
  reaches(from: string, to: string): boolean {
    return !this.#blocked.has(`${from} ${to}`);
  }

  /** One way only: the links between the two die by silence. */
  block(from: string, to: string): void {
    this.#blocked.add(`${from} ${to}`);
    for (const link of this.#links) {
      const [a, b] = link.ends;
      if (a.at.node === from && b.at.node === to) this.#deafen(link, b);
      if (b.at.node === from && a.at.node === to) this.#deafen(link, a);
    }
  }

  heal(): void {
    this.#blocked.clear();
  }

  /** Whatever a node sends or is sent arrives so many milliseconds later, until it is 0. */
  slow(node: string, ms: number): void {
    this.#slowMs.set(node, ms);
  }

  /** From now on nothing is slow or lost. */
  calm(): void {
    this.#isCalm = true;
    this.#slowMs.clear();
    this.heal();
  }

  cutAny(): void {
    const link = this.#any();
    if (link !== undefined) this.#cut(link);
  }

  /** Nothing gets through one way any more. */
  halfOpenAny(): void {
    const link = this.#any();
    if (link !== undefined) this.#deafen(link, this.#timeline.prng.pick(link.ends));
  }

  /** A process stands still: its peers give it up if it is for long, and what they sent waits for it. */
  pausing(endpoint: Endpoint<Frame>): void {
    this.#timeline.after(silenceMs + this.#timeline.prng.below(500), () => {
      if (!endpoint.isPaused) return;
      for (const link of this.#links) {
        if (link.ends.some(({ at }) => at === endpoint)) this.#cut(link);
      }
    });
  }

  /** What is sent one way arrives late, in order. */
  stallAny(ms: number): void {
    const link = this.#any();
    if (link === undefined) return;
    const end = this.#timeline.prng.pick(link.ends);
    end.arrives = Math.max(end.arrives, this.#timeline.now + ms);
  }

  /** What is sent over a link that the sender has heard the end of goes nowhere. */
  send(from: Endpoint<Frame>, replica: string, id: number, frame: Frame): void {
    const link = this.#of(from, replica);
    if (link?.id !== id) return;
    const to = endOf(link, replica);
    if (link.isCut || to.isDeaf) return;
    const { now, prng } = this.#timeline;
    const delay = this.#isCalm ? 3 : prng.chance(0.03) ? 250 : 6;
    const slowMs = (this.#slowMs.get(from.node) ?? 0) + (this.#slowMs.get(to.at.node) ?? 0);
    to.arrives = Math.max(to.arrives, now + 1 + prng.below(delay) + slowMs);
    this.#timeline.at(to.arrives, () => {
      if (to.state === "up" && !to.at.isDown) to.at.received(from.replica, link.id, frame);
    });
  }

  /** The link that an end believes in. */
  #of(from: Endpoint<Frame>, replica: string): Link<Frame> | undefined {
    for (const link of this.#links) {
      const [a, b] = link.ends;
      if (a.at === from && a.state === "up" && b.at.replica === replica) return link;
      if (b.at === from && b.state === "up" && a.at.replica === replica) return link;
    }
    return undefined;
  }

  #any(): Link<Frame> | undefined {
    const links = [...this.#links].filter(({ isCut }) => !isCut);
    return links.length === 0 ? undefined : this.#timeline.prng.pick(links);
  }

  #connectLater(a: Endpoint<Frame>, b: Endpoint<Frame>): void {
    const { prng } = this.#timeline;
    const delay = 1 + prng.below(!this.#isCalm && prng.chance(0.1) ? 1500 : 60);
    this.#timeline.after(delay, () => {
      if (!this.#endpoints.has(a) || !this.#endpoints.has(b)) return;
      const isReached = this.reaches(a.node, b.node) && this.reaches(b.node, a.node);
      if (isReached && !a.isPaused && !b.isPaused) this.#open(a, b);
      else this.#connectLater(a, b);
    });
  }

  #open(a: Endpoint<Frame>, b: Endpoint<Frame>): void {
    const { now, prng } = this.#timeline;
    const end = (at: Endpoint<Frame>): End<Frame> => {
      return { at, state: "opening", arrives: now + 1 + prng.below(20), isDeaf: false };
    };
    const link: Link<Frame> = { id: ++this.#linkLast, ends: [end(a), end(b)], isCut: false };
    this.#links.add(link);
    for (const each of link.ends) this.#timeline.at(each.arrives, () => this.#begun(link, each));
  }

  #begun(link: Link<Frame>, end: End<Frame>): void {
    // One that was cut meanwhile never is: there may be another by now, which it would replace at this end alone.
    if (end.state !== "opening" || end.at.isDown || link.isCut) return;
    const replica = otherOf(link, end).at.replica;
    const before = this.#of(end.at, replica);
    if (before !== undefined) endOf(before, end.at.replica).state = "down";
    end.state = "up";
    end.at.linked(replica, link.id);
  }

  #deafen(link: Link<Frame>, end: End<Frame>): void {
    if (end.isDeaf || link.isCut) return;
    end.isDeaf = true;
    this.#timeline.after(silenceMs + this.#timeline.prng.below(500), () => this.#cut(link));
  }

  #cut(link: Link<Frame>): void {
    if (link.isCut) return;
    link.isCut = true;
    const { prng } = this.#timeline;
    for (const end of link.ends) {
      // What arrives before the end hears of it is still taken; the rest is lost.
      const delay = !this.#isCalm && prng.chance(0.1) ? silenceMs : prng.below(60);
      this.#timeline.after(delay, () => this.#ended(link, end));
    }
    const [a, b] = link.ends;
    this.#connectLater(a.at, b.at);
  }

  #ended(link: Link<Frame>, end: End<Frame>): void {
    const wasUp = end.state === "up";
    end.state = "down";
    if (link.ends.every(({ state }) => state === "down")) this.#links.delete(link);
    if (wasUp && !end.at.isDown) end.at.linked(otherOf(link, end).at.replica, undefined);
  }
}

function otherOf<Frame>({ ends }: Link<Frame>, end: End<Frame>): End<Frame> {
  return ends[0] === end ? ends[1] : ends[0];
}

function endOf<Frame>({ ends }: Link<Frame>, replica: string): End<Frame> {
  return ends[0].at.replica === replica ? ends[0] : ends[1];
}
