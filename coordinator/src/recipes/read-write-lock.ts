import type { CallOptions } from "../client/options.ts";
import type { Contest, Rule } from "./contest.ts";
import type { Entry } from "./entries.ts";
import type { Hold } from "./hold.ts";
import { type AcquireOptions, contestOf, enter, type LockOptions, whoIsBefore } from "./lock.ts";

/**
 * One writer, or any number of readers, in the order of asking: a reader who comes after a writer that waits, waits too.
 * A writer's token is greater than that of all who held before; readers who hold together have different ones.
 */
export class ReadWriteLock {
  readonly #contest: Contest;

  constructor(options: LockOptions) {
    this.#contest = contestOf(options);
  }

  async read(options: AcquireOptions = {}): Promise<Hold> {
    return (await enter(this.#contest, "read", whichWriterIsBefore, options, true)) as Hold;
  }

  async write(options: AcquireOptions = {}): Promise<Hold> {
    return (await enter(this.#contest, "write", whoIsBefore, options, true)) as Hold;
  }

  tryRead(options: AcquireOptions = {}): Promise<Hold | undefined> {
    return enter(this.#contest, "read", whichWriterIsBefore, options, false);
  }

  tryWrite(options: AcquireOptions = {}): Promise<Hold | undefined> {
    return enter(this.#contest, "write", whoIsBefore, options, false);
  }

  /** Those who hold and wait, in their order; `kind` is `read` or `write`. */
  entries({ signal }: CallOptions = {}): Promise<readonly Entry[]> {
    return this.#contest.entries(signal);
  }

  /** Releases what is held and ends what waits. */
  close(): Promise<void> {
    return this.#contest.close();
  }
}

/** Readers go together: only the last writer before is waited for. */
const whichWriterIsBefore: Rule = (earlier) => {
  const writer = earlier.findLast(({ kind }) => kind === "write");
  return writer === undefined ? [] : [writer];
};
