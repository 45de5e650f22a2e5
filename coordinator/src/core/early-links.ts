import type { Outbox } from "./effects.ts";
import type { Leader } from "./leader.ts";
import { linksMax } from "./limits.ts";
import type { LinkId, Message } from "./messages.ts";

/**
 * Links of learners that know of the leader's election before it does. ZooKeeper's learners vote anew when their
 * link is closed, and would then not be heard of before the leader gives up; so they wait.
 */
export class EarlyLinks<B, R> {
  readonly #links = new Map<LinkId, Message<B, R> | undefined>();

  add(link: LinkId, out: Outbox<B, R>): void {
    if (this.#links.size < linksMax) this.#links.set(link, undefined);
    else out.close.push(link);
  }

  get isEmpty(): boolean {
    return this.#links.size === 0;
  }

  delete(link: LinkId): void {
    this.#links.delete(link);
  }

  /** A learner says who it is, and waits for an answer. */
  hear(link: LinkId, message: Message<B, R>, out: Outbox<B, R>): void {
    if (!this.#links.has(link)) return;
    if (this.#links.get(link) === undefined) this.#links.set(link, message);
    else {
      this.#links.delete(link);
      out.close.push(link);
    }
  }

  /** The one they wait for is elected. */
  handOver(leader: Leader<B, R>, out: Outbox<B, R>): void {
    for (const [link, message] of this.#links) {
      leader.linkUp(link, out);
      if (message !== undefined) leader.hear(link, message, out);
    }
    this.#links.clear();
  }

  close(out: Outbox<B, R>): void {
    out.close.push(...this.#links.keys());
    this.#links.clear();
  }
}
