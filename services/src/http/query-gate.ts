import { ServiceError } from "../../../kit/src/errors.ts";

/** Queries that may wait for one that runs to end. */
const waitingMaxDefault = 256;

/** Lets so many queries run at once; others wait in line instead of failing, up to a bound. */
export class QueryGate {
  readonly #runningMax: number;
  readonly #waitingMax: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(runningMax: number, waitingMax: number = waitingMaxDefault) {
    this.#runningMax = runningMax;
    this.#waitingMax = waitingMax;
  }

  get running(): number {
    return this.#running;
  }

  /** Throws `query.busy` when the line is full, `query.cancelled` when the client left it. */
  async run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#runningMax) await this.#wait(signal);
    else this.#running++;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      // The place is handed on, so that nobody slips in between.
      if (next === undefined) this.#running--;
      else next();
    }
  }

  #wait(signal: AbortSignal): Promise<void> {
    const waitingMax = this.#waitingMax;
    if (this.#waiting.length >= waitingMax) {
      throw new ServiceError("query.busy", "too many queries are waiting", { waitingMax });
    }
    return new Promise((resolve, reject) => {
      const wake = (): void => {
        signal.removeEventListener("abort", leave);
        resolve();
      };
      const leave = (): void => {
        const at = this.#waiting.indexOf(wake);
        if (at >= 0) this.#waiting.splice(at, 1);
        reject(new ServiceError("query.cancelled", "the client went away"));
      };
      this.#waiting.push(wake);
      signal.addEventListener("abort", leave, { once: true });
    });
  }
}
