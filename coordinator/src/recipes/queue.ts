import type { CallOptions } from "../client/options.ts";
import type { Delivery } from "./delivery.ts";
import { type Item, QueueItems, type QueueOptions } from "./queue-items.ts";

export type { Delivery } from "./delivery.ts";
export type { QueueOptions } from "./queue-items.ts";

/** Items are given out in the order in which they came, each to one taker at a time until it is done. */
export class Queue {
  readonly #items: QueueItems;

  constructor(options: QueueOptions) {
    this.#items = new QueueItems(options, { kind: /^item$/, order: byAge, isOrderKept: true });
  }

  /**
   * Puts it in, once whatever happens. Rejects with QUOTAEXCEEDED when the queue is full, and with `isOutcomeUnknown` when the
   * answer was lost and the item is not there: it was not put in, or it is done already.
   */
  offer(data: Uint8Array, options: CallOptions = {}): Promise<void> {
    return this.#items.offer("item", data, options);
  }

  /** Waits for an item. Takers that wait do so one behind the other. Rejects with the signal's reason or CLOSED. */
  take(options: CallOptions = {}): Promise<Delivery> {
    return this.#items.take(options);
  }

  /** Items in the queue, those that are out included. */
  count(options: CallOptions = {}): Promise<number> {
    return this.#items.count(options);
  }

  /** Gives back what was taken and ends what waits. */
  close(): Promise<void> {
    return this.#items.close();
  }
}

function byAge(a: Item, b: Item): number {
  return a.czxid < b.czxid ? -1 : 1;
}
