import { assert } from "../../../kit/src/assert.ts";
import { ServiceError } from "../../../kit/src/errors.ts";
import type { PlanMessage } from "../plan/plan.ts";
import type { Deadline } from "./deadline.ts";
import type { PartialMessage, PartTask } from "./fragment.ts";
import type { FragmentPool } from "./pool.ts";

type Done = Extract<PartialMessage, { readonly kind: "done" }>;

interface Finished {
  readonly task: PartTask;
  readonly message: Done;
}

/** A query's pieces of work at the pool, at most as many as the pool has workers. */
export class WorkInFlight {
  readonly #pool: FragmentPool;
  readonly #plan: PlanMessage;
  readonly #deadline: Deadline;
  readonly #running = new Map<PartTask, Promise<{ task: PartTask; message: PartialMessage }>>();

  constructor(pool: FragmentPool, plan: PlanMessage, deadline: Deadline) {
    this.#pool = pool;
    this.#plan = plan;
    this.#deadline = deadline;
  }

  get count(): number {
    return this.#running.size;
  }

  get hasRoom(): boolean {
    return this.#running.size < this.#pool.size;
  }

  start(task: PartTask): void {
    const { signal } = this.#deadline;
    const running = this.#pool.run(this.#plan, task, signal);
    const named = running.then((message) => ({ task, message }));
    // Whoever waits gets the rejection; a query that ended meanwhile has nobody waiting.
    named.catch(() => undefined);
    this.#running.set(task, named);
  }

  /** The next piece that is done. Throws what made it fail, or the deadline's error. */
  async next(): Promise<Finished> {
    assert(this.#running.size > 0, "there is work to wait for");
    this.#deadline.check();
    const { task, message } = await this.#race();
    this.#running.delete(task);
    this.#deadline.check();
    if (message.kind === "failed") {
      throw new ServiceError(message.code, message.message, message.fields);
    }
    return { task, message };
  }

  async #race(): Promise<{ task: PartTask; message: PartialMessage }> {
    try {
      return await Promise.race([...this.#running.values(), this.#deadline.failed]);
    } catch (thrown) {
      // A pool that refuses work because the query must stop is not the reason to tell.
      this.#deadline.check();
      throw thrown;
    }
  }

  /** Throws when the query must stop. */
  check(): void {
    this.#deadline.check();
  }

  /** Resolves when nothing runs any more, whatever came of it. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#running.values());
  }
}
