import { ZooKeeperError } from "../client/errors.ts";
import type { CallOptions } from "../client/options.ts";
import type { Delivery } from "./delivery.ts";
import { type Item, QueueItems, type QueueOptions } from "./queue-items.ts";

const priorityMax = 9_999;

/** As a queue, but what has the lowest number goes first; of equal ones, what came first. */
export class PriorityQueue {
  readonly #items: QueueItems;

  constructor(options: QueueOptions) {
    this.#items = new QueueItems(options, {
      kind: /^p[0-9]{4}$/,
      order: byPriority,
      isOrderKept: false,
    });
  }

  /** `priority`: 0 (first) to 9,999. Rejects as a queue's. */
  async offer(data: Uint8Array, priority: number, options: CallOptions = {}): Promise<void> {
    if (!(Number.isInteger(priority) && priority >= 0 && priority <= priorityMax)) {
      throw new ZooKeeperError("BADARGUMENTS");
    }
    await this.#items.offer(`p${String(priority).padStart(4, "0")}`, data, options);
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

function byPriority(a: Item, b: Item): number {
  if (a.kind !== b.kind) return a.kind < b.kind ? -1 : 1;
  return a.czxid < b.czxid ? -1 : 1;
}
