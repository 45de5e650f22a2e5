import { messageOf } from "../../../kit/src/errors.ts";
import type { Logger } from "../../../kit/src/logger.ts";
import { unlinkIfThere } from "./sealing.ts";
import type { LiveSegment } from "./segment-set.ts";

/** Puts away files that nobody needs: at once, or when queries that began before are over. */
export class Retiring {
  readonly #logger: Logger;
  readonly #keepMs: number;
  readonly #waiting = new Map<NodeJS.Timeout, string>();

  /** `keepMs`: how long the file of a replaced segment stays. */
  constructor(logger: Logger, keepMs: number) {
    this.#logger = logger;
    this.#keepMs = keepMs;
  }

  later({ path }: LiveSegment): void {
    const timer = setTimeout(() => {
      this.#waiting.delete(timer);
      this.attempt(path, () => unlinkIfThere(path));
    }, this.#keepMs).unref();
    this.#waiting.set(timer, path);
  }

  /** Whoever let go of the file last has no part in a failure. */
  attempt(file: string, work: () => void): void {
    try {
      work();
    } catch (thrown) {
      this.#logger.warn({ file, reason: messageOf(thrown) }, "file could not be put away");
    }
  }

  close(): void {
    for (const [timer, path] of this.#waiting) {
      clearTimeout(timer);
      this.attempt(path, () => unlinkIfThere(path));
    }
    this.#waiting.clear();
  }
}
