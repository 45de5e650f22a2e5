import type { Job } from "bullmq";
import { backoffMs } from "../../../alerts/src/backoff.ts";
import type { SchedulerHandlers } from "../../../alerts/src/scheduler.ts";
import type { RedisConnections } from "./connections.ts";
import { JobQueue, jobOptions, Later } from "./job-queue.ts";
import { batchMax, busyMs, deliveriesAtOnceMax } from "./limits.ts";

interface DeliveryJob {
  readonly id: string;
}

/**
 * `new`: Redis has not been told. `told`: it has. `ended`: there is nothing left to do, which Redis does not know yet.
 * `again`: so, and it was asked for anew.
 */
type Stage = "new" | "told" | "ended" | "again";

export interface DeliveriesOptions {
  readonly connections: RedisConnections;
  readonly prefix: string;
  readonly onDelivery: SchedulerHandlers["onDelivery"];
  /** There is something to tell Redis. */
  readonly onNew: () => void;
}

/**
 * Deliveries as jobs named by their ids. What is not finished is remembered here too, so that it is told again to a Redis
 * that has lost its memory.
 */
export class Deliveries {
  readonly jobs: JobQueue<DeliveryJob>;
  readonly #options: DeliveriesOptions;
  readonly #open = new Map<string, Stage>();
  readonly #underWay = new Set<string>();

  constructor(options: DeliveriesOptions) {
    this.#options = options;
    this.jobs = new JobQueue<DeliveryJob>({
      ...options,
      name: "deliveries",
      concurrency: deliveriesAtOnceMax,
      work: (job, signal) => this.#work(job, signal),
      onCompleted: ({ data }) => this.#onCompleted(data.id),
    });
  }

  add(id: string): void {
    const stage = this.#open.get(id);
    if (stage === undefined) {
      this.#open.set(id, "new");
      this.#options.onNew();
    } else if (stage === "ended") this.#open.set(id, "again");
  }

  /** Tells Redis what it has not been told. Rejects while it is away. */
  async tell(): Promise<void> {
    const queue = await this.jobs.queue();
    for (const ids of this.#batches("new")) {
      const jobs = ids.map((id) => {
        const opts = { ...jobOptions, jobId: jobIdOf(id) };
        return { name: "delivery", data: { id }, opts };
      });
      // Before the answer: it may be worked on, and ended, before that.
      this.#move(ids, "new", "told");
      try {
        await queue.addBulk(jobs);
      } catch (thrown) {
        this.#move(ids, "told", "new");
        throw thrown;
      }
    }
  }

  /** Redis has lost what it was told. */
  lost(): void {
    for (const [id, stage] of this.#open) {
      if (stage === "ended") this.#open.delete(id);
      else this.#open.set(id, "new");
    }
  }

  /**
   * Compares what is open here with what Redis has. `look` tells for keys whether they are there, or undefined when
   * Redis has lost its memory; while it has it, what is missing was done by another process. Rejects while it is away.
   */
  async survey(
    look: (keys: readonly string[]) => Promise<readonly boolean[] | undefined>,
  ): Promise<void> {
    for (const stage of ["told", "ended", "again"] as const) {
      for (const ids of this.#batches(stage)) {
        const there = await look(ids.map((id) => this.jobs.keyOf(jobIdOf(id))));
        if (there === undefined) return;
        for (const [i, id] of ids.entries()) {
          if (there[i] === false && this.#open.get(id) === stage) this.#onCompleted(id);
        }
      }
    }
  }

  #batches(stage: Stage): string[][] {
    const ids = [...this.#open].filter(([, each]) => each === stage).map(([id]) => id);
    return Array.from({ length: Math.ceil(ids.length / batchMax) }, (_, i) =>
      ids.slice(i * batchMax, (i + 1) * batchMax),
    );
  }

  #move(ids: readonly string[], from: Stage, to: Stage): void {
    for (const id of ids) {
      if (this.#open.get(id) === from) this.#open.set(id, to);
    }
  }

  #onCompleted(id: string): void {
    if (this.#open.get(id) !== "again") {
      this.#open.delete(id);
      return;
    }
    this.#open.set(id, "new");
    this.#options.onNew();
  }

  async #work(job: Job<DeliveryJob>, signal: AbortSignal): Promise<void> {
    const { id } = job.data;
    // Told again to a Redis that had forgotten it, while its first job went on here.
    if (this.#underWay.has(id)) throw new Later(busyMs);
    this.#underWay.add(id);
    const attempt = Math.max(1, job.attemptsStarted);
    let againMs: number | undefined;
    try {
      againMs = await this.#options.onDelivery(id, attempt, signal);
    } catch {
      throw new Later(signal.aborted ? 0 : backoffMs(attempt));
    } finally {
      this.#underWay.delete(id);
    }
    if (againMs !== undefined) throw new Later(againMs);
    if (this.#open.has(id)) this.#open.set(id, "ended");
  }
}

/** BullMQ takes no colon in an id, and no number. */
function jobIdOf(id: string): string {
  return `delivery-${encodeURIComponent(id.toWellFormed())}`;
}
