import { ServiceError } from "../../../kit/src/errors.ts";

/** Queries that may wait for one that runs to end. */
const waitingMaxDefault = 256;

/** What one tenant may have of the line, so that there is room for another's first question. */
const tenantShareMax = 0.5;

/**
 * Lets so many queries run at once; others wait in line instead of failing, up to a bound. Places go round the tenants
 * that wait, so that one with many questions does not keep another from its first.
 */
export class QueryGate {
  #runningMax: number;
  readonly #waitingMax: number;
  /** Tenants that wait, the one whose turn is next first; no line is empty. */
  readonly #lines = new Map<string, (() => void)[]>();
  #waiting = 0;
  #running = 0;

  constructor(runningMax: number, waitingMax: number = waitingMaxDefault) {
    this.#runningMax = runningMax;
    this.#waitingMax = waitingMax;
  }

  /** Those that run already go on; those that wait get the places that are new. */
  set runningMax(runningMax: number) {
    this.#runningMax = runningMax;
    while (this.#running < runningMax) {
      const next = this.#next();
      if (next === undefined) return;
      this.#running++;
      next();
    }
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /** Those without a tenant have the whole line. Throws `query.busy` when it is full, `query.cancelled` when the client left it. */
  async run<T>(signal: AbortSignal, work: () => Promise<T>, tenant?: string): Promise<T> {
    if (this.#running >= this.#runningMax) await this.#wait(signal, tenant);
    else this.#running++;
    try {
      return await work();
    } finally {
      const next = this.#running > this.#runningMax ? undefined : this.#next();
      // The place is handed on, so that nobody slips in between.
      if (next === undefined) this.#running--;
      else next();
    }
  }

  #wait(signal: AbortSignal, tenant = ""): Promise<void> {
    const line = this.#lines.get(tenant) ?? [];
    const waitingMax = this.#waitingMax;
    const lineMax = tenant === "" ? waitingMax : waitingMax * tenantShareMax;
    if (this.#waiting >= waitingMax) {
      throw new ServiceError("query.busy", "too many queries are waiting", { waitingMax });
    }
    if (line.length >= lineMax) {
      const what = "too many queries of this tenant are waiting";
      throw new ServiceError("query.busy", what, { waitingMax: lineMax, tenant });
    }
    return new Promise((resolve, reject) => {
      const wake = (): void => {
        signal.removeEventListener("abort", leave);
        resolve();
      };
      const leave = (): void => {
        this.#leave(tenant, wake);
        reject(new ServiceError("query.cancelled", "the client went away"));
      };
      line.push(wake);
      this.#lines.set(tenant, line);
      this.#waiting++;
      signal.addEventListener("abort", leave, { once: true });
    });
  }

  #leave(tenant: string, wake: () => void): void {
    const line = this.#lines.get(tenant) ?? [];
    const at = line.indexOf(wake);
    if (at < 0) return;
    line.splice(at, 1);
    this.#waiting--;
    if (line.length === 0) this.#lines.delete(tenant);
  }

  #next(): (() => void) | undefined {
    for (const [tenant, line] of this.#lines) {
      const wake = line.shift();
      // Its next question waits until all other tenants had their turn.
      this.#lines.delete(tenant);
      if (line.length > 0) this.#lines.set(tenant, line);
      this.#waiting--;
      return wake;
    }
    return undefined;
  }
}
