import { ServiceError } from "../../../kit/src/errors.ts";
import { mergedBytesMax } from "../limits.ts";
import type { GatherPipe } from "../pipe/pipe.ts";
import { allRows } from "../pipe/pipe.ts";
import { viewOfPosted } from "../table/posted.ts";
import { byteSizeOf } from "./byte-size.ts";
import { type Ended, type Ending, endOf, gatherOf } from "./finish.ts";
import type { FragmentPool } from "./pool.ts";

/**
 * Brings together what the pieces of a query's work gave: at once while it is little; what is much waits, and is
 * merged by a worker, so that it does not hold up whoever else is served by this thread.
 */
export class Gathering {
  readonly #pool: FragmentPool;
  readonly #ending: Ending;
  readonly #gather: GatherPipe;
  #waiting: unknown[] = [];
  #waitingBytes = 0;
  #mergedBytes = 0;

  constructor(pool: FragmentPool, ending: Ending) {
    this.#pool = pool;
    this.#ending = ending;
    this.#gather = gatherOf(ending.sink);
  }

  /** Bytes held. */
  get byteSize(): number {
    return this.#gather.byteSize + this.#waitingBytes;
  }

  add(partial: unknown): void {
    const bytes = byteSizeOf(partial);
    if (this.#pool.finish === undefined || this.#mergedBytes + bytes <= mergedBytesMax) {
      this.#mergedBytes += bytes;
      this.#gather.merge(partial);
      return;
    }
    this.#waiting.push(partial);
    this.#waitingBytes += bytes;
  }

  /** Once. Throws what made a pipe fail. */
  async end(signal: AbortSignal): Promise<Ended> {
    if (this.#waiting.length === 0 || this.#pool.finish === undefined) {
      return endOf(this.#gather, this.#ending);
    }
    const partials = [this.#gather.export(), ...this.#waiting];
    this.#waiting = [];
    const message = await this.#pool.finish({ ending: this.#ending, partials }, signal);
    if (message.kind === "failed") {
      throw new ServiceError(message.code, message.message, message.fields);
    }
    const view = viewOfPosted(message.rows);
    return { found: { view, rows: allRows(view.rowCount) }, limited: message.limited };
  }
}
