import type { Outbox } from "./effects.ts";
import type { Leader } from "./leader.ts";
import { linksMax } from "./limits.ts";
import type { LinkId, Message } from "./messages.ts";

interface EarlyLink<B, R> {
  said: Message<B, R> | undefined;
  ticks: number;
}

/**
 * Links of learners that know of the leader's election before it does. ZooKeeper's learners vote anew when their
 * link is closed, and would then not be heard of before the leader gives up; so they wait.
 */
export class EarlyLinks<B, R> {
  readonly #links = new Map<LinkId, EarlyLink<B, R>>();

  add(link: LinkId, out: Outbox<B, R>): void {
    if (this.#links.size < linksMax) this.#links.set(link, { said: undefined, ticks: 0 });
    else out.close.push(link);
  }

  /** Who has waited longer may have been wrong, and votes anew. */
  tick(ticksMax: number, out: Outbox<B, R>): void {
    for (const [id, link] of this.#links) {
      if (++link.ticks <= ticksMax) continue;
      this.#links.delete(id);
      out.close.push(id);
    }
  }

  get isEmpty(): boolean {
    return this.#links.size === 0;
  }

  delete(link: LinkId): void {
    this.#links.delete(link);
  }

  /** A learner says who it is, and waits for an answer. */
  hear(link: LinkId, message: Message<B, R>, out: Outbox<B, R>): void {
    const early = this.#links.get(link);
    if (early === undefined) return;
    if (early.said === undefined) early.said = message;
    else {
      this.#links.delete(link);
      out.close.push(link);
    }
  }

  /** The one they wait for is elected. */
  handOver(leader: Leader<B, R>, out: Outbox<B, R>): void {
    for (const [link, { said }] of this.#links) {
      leader.linkUp(link, out);
      if (said !== undefined) leader.hear(link, said, out);
    }
    this.#links.clear();
  }

  close(out: Outbox<B, R>): void {
    out.close.push(...this.#links.keys());
    this.#links.clear();
  }
}
