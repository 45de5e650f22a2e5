import { messageOf } from "../../kit/src/errors.ts";
import type { Closable } from "../../kit/src/lifecycle.ts";
import type { Logger } from "../../kit/src/logger.ts";
import { pause } from "../../kit/src/pause.ts";
import { backoffMs } from "./backoff.ts";
import type { Schedule, Scheduler } from "./scheduler.ts";

/**
 * What the scheduler is to be told, in line until it took it: a scheduler that cannot be reached for a while holds up
 * no evaluation. Of schedules only the last matter, of deliveries each once.
 */
export class SchedulerLine implements Closable {
  readonly #logger: Logger;
  readonly #signal: AbortSignal;
  readonly #ids = new Set<string>();
  #schedules: (() => readonly Schedule[]) | undefined;
  #scheduler: Scheduler | undefined;
  #isTelling = false;
  #telling: Promise<void> = Promise.resolve();

  /** Nothing more is told when the signal aborts. */
  constructor(logger: Logger, signal: AbortSignal) {
    this.#logger = logger;
    this.#signal = signal;
  }

  /** From now on there is somebody to tell. */
  open(scheduler: Scheduler): void {
    this.#scheduler = scheduler;
    this.#begin();
  }

  /** The list is made when it is told: many changes in a row make one. */
  schedule(schedules: () => readonly Schedule[]): void {
    this.#schedules = schedules;
    this.#begin();
  }

  deliver(ids: readonly string[]): void {
    for (const id of ids) this.#ids.add(id);
    this.#begin();
  }

  /** Closes the scheduler. */
  async close(): Promise<void> {
    await this.#scheduler?.close();
    await this.#telling;
  }

  #begin(): void {
    if (this.#scheduler === undefined || this.#isTelling || this.#signal.aborted) return;
    this.#isTelling = true;
    this.#telling = this.#tellAll(this.#scheduler);
  }

  async #tellAll(scheduler: Scheduler): Promise<void> {
    let failures = 0;
    while (!this.#signal.aborted && (this.#schedules !== undefined || this.#ids.size > 0)) {
      try {
        await this.#tellNext(scheduler);
        failures = 0;
      } catch (thrown) {
        const reason = messageOf(thrown);
        if (failures++ === 0) this.#logger.warn({ reason }, "alerts scheduler cannot be told");
        await pause(backoffMs(failures), this.#signal, { ref: false });
      }
    }
    this.#isTelling = false;
  }

  async #tellNext(scheduler: Scheduler): Promise<void> {
    const schedules = this.#schedules;
    if (schedules !== undefined) {
      await scheduler.schedule(schedules());
      if (this.#schedules === schedules) this.#schedules = undefined;
    }
    for (const id of this.#ids) {
      if (this.#signal.aborted || this.#schedules !== undefined) return;
      await scheduler.deliver(id);
      this.#ids.delete(id);
    }
  }
}
