import { ServiceError } from "../../../kit/src/errors.ts";

/**
 * Tells loops over the rows of one block that their query is to stop: texts of a megabyte through several pipes take
 * longer than a deadline. One of a thread, as a thread evaluates one piece of a query at a time, from `during` to its end.
 */
class Interrupt {
  #cancelled: Int32Array | undefined;

  /** Does the work of a query whose flag is not zero once it has been cancelled. */
  during<Result>(cancelled: Int32Array, work: () => Result): Result {
    const before = this.#cancelled;
    this.#cancelled = cancelled;
    try {
      return work();
    } finally {
      this.#cancelled = before;
    }
  }

  /** Throws `query.cancelled` when it is. Costs some nanoseconds: for loops that make or match a text each time. */
  check(): void {
    if (this.#cancelled === undefined || Atomics.load(this.#cancelled, 0) === 0) return;
    throw new ServiceError("query.cancelled", "the query was cancelled");
  }
}

export const interrupt = new Interrupt();
