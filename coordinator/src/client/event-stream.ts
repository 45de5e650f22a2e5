/**
 * Events as an async iterator, in a buffer with a bound: `overflow` makes one event of those that have no room.
 * One reader; it ends when the stream is ended and read, or is left.
 */
export class EventStream<T> implements AsyncIterableIterator<T, undefined> {
  readonly #max: number;
  readonly #overflow: (waiting: readonly T[]) => readonly T[];
  readonly #left: () => void;
  #signal: AbortSignal | undefined;
  #waiting: T[] = [];
  #reader: ((result: IteratorResult<T, undefined>) => void) | undefined;
  #isEnded = false;

  /** `left` is called once, when the stream ends, by whichever side. */
  constructor(options: {
    readonly max: number;
    readonly overflow: (waiting: readonly T[]) => readonly T[];
    readonly left: () => void;
  }) {
    this.#max = options.max;
    this.#overflow = options.overflow;
    this.#left = options.left;
  }

  /** Ends it when the signal aborts. */
  endWith(signal: AbortSignal | undefined): void {
    if (signal?.aborted === true) {
      this.end();
      return;
    }
    this.#signal = signal;
    signal?.addEventListener("abort", this.#abort, { once: true });
  }

  readonly #abort = (): void => this.end();

  push(event: T): void {
    if (this.#isEnded) return;
    const reader = this.#reader;
    if (reader !== undefined) {
      this.#reader = undefined;
      reader({ done: false, value: event });
      return;
    }
    this.#waiting.push(event);
    if (this.#waiting.length > this.#max) this.#waiting = [...this.#overflow(this.#waiting)];
  }

  /** No more events; those that wait are still read. */
  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#reader?.({ done: true, value: undefined });
    this.#reader = undefined;
    this.#signal?.removeEventListener("abort", this.#abort);
    this.#left();
  }

  next(): Promise<IteratorResult<T, undefined>> {
    if (this.#waiting.length > 0) {
      return Promise.resolve({ done: false, value: this.#waiting.shift() as T });
    }
    if (this.#isEnded) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => {
      this.#reader = resolve;
    });
  }

  return(): Promise<IteratorResult<T, undefined>> {
    this.#waiting = [];
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
