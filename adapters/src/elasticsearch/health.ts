import type { Logger } from "../../../kit/src/logger.ts";
import { failuresTold, retryMsMax, retryMsMin } from "./limits.ts";

/**
 * What all lanes of a mirror know together of their cluster: how often it failed in a row, by which they wait
 * longer each time, and whether that has been told. One line in the log for each change, however many tries.
 */
export class Health {
  /** Whether the last request was answered. */
  isConnected = false;
  #failures = 0;
  #isTold = false;
  readonly #logger: Logger;
  readonly #random: () => number;
  readonly #sleepers = new Set<() => void>();

  constructor(logger: Logger, random: () => number) {
    this.#logger = logger;
    this.#random = random;
  }

  /** It answered, which says nothing yet of whether it takes documents. */
  reached(): void {
    this.isConnected = true;
    for (const wake of this.#sleepers) wake();
  }

  /** It took documents. */
  fine(): void {
    this.#failures = 0;
    if (this.#isTold) this.#logger.info({}, "Elasticsearch takes documents again");
    this.#isTold = false;
    this.reached();
  }

  /** It cannot be reached or does not work. Waits, no longer than until another lane reaches it. */
  async failed(reason: string, signal: AbortSignal): Promise<void> {
    this.isConnected = false;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#sleepers.add(resolve);
    await this.#wait(reason, promise, signal);
    this.#sleepers.delete(resolve);
  }

  /** It works, and has no room for more. Waits. */
  busy(reason: string, signal: AbortSignal): Promise<void> {
    return this.#wait(reason, new Promise(() => undefined), signal);
  }

  /** Twice as long each time, half of it drawn: those who failed together must not come back together. */
  async #wait(reason: string, woken: Promise<void>, signal: AbortSignal): Promise<void> {
    const most = Math.min(retryMsMax, retryMsMin * 2 ** Math.min(this.#failures, 20));
    this.#failures++;
    if (this.#failures === failuresTold) {
      const fields = { reason: reason.slice(0, 300) };
      this.#logger.warn(fields, "Elasticsearch takes no documents, trying again");
      this.#isTold = true;
    }
    const ms = most / 2 + (most / 2) * this.#random();
    await new Promise<void>((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      signal.addEventListener("abort", end, { once: true });
      void woken.then(end);
    });
    signal.throwIfAborted();
  }
}
