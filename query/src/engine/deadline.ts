import { ServiceError } from "../../../kit/src/errors.ts";

const ended = new ServiceError("query.cancelled", "the query has ended");

/**
 * When a query must stop: its deadline passed or its caller went away. `failed` rejects then, so
 * that whoever waits for work waits no longer, and the shared flag stops workers between blocks.
 */
export class Deadline {
  readonly cancelled = new SharedArrayBuffer(4);
  /** Aborted as soon as the query must stop, or has ended. */
  readonly signal: AbortSignal;
  readonly failed: Promise<never>;
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly #outer: AbortSignal | undefined;
  readonly #onAbort: () => void;
  #error: ServiceError | undefined;
  #reject: (error: ServiceError) => void = () => undefined;

  constructor(timeoutMs: number, outer: AbortSignal | undefined) {
    this.signal = this.#controller.signal;
    this.failed = new Promise((_, reject) => {
      this.#reject = reject;
    });
    // Nobody may be waiting at the moment when it rejects.
    this.failed.catch(() => undefined);
    this.#timer = setTimeout(() => {
      const message = "the query reached its deadline";
      this.#fail(new ServiceError("query.timeout", message, { timeoutMs }));
    }, timeoutMs);
    this.#timer.unref();
    this.#onAbort = () =>
      this.#fail(new ServiceError("query.cancelled", "the query was cancelled"));
    this.#outer = outer;
    if (outer?.aborted === true) this.#onAbort();
    else outer?.addEventListener("abort", this.#onAbort, { once: true });
  }

  /** Throws when the query must stop. */
  check(): void {
    if (this.#error !== undefined) throw this.#error;
  }

  /** The query has ended, one way or another: workers stop, nothing is left behind. */
  close(): void {
    clearTimeout(this.#timer);
    this.#outer?.removeEventListener("abort", this.#onAbort);
    this.#stop();
  }

  #fail(error: ServiceError): void {
    this.#error ??= error;
    this.#stop();
    this.#reject(this.#error);
  }

  #stop(): void {
    Atomics.store(new Int32Array(this.cancelled), 0, 1);
    // Without a reason each query would make an exception with its stack, which costs as much as parsing the query.
    this.#controller.abort(this.#error ?? ended);
  }
}
