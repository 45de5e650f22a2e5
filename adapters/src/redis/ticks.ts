import type { Job } from "bullmq";
import { backoffMs } from "../../../alerts/src/backoff.ts";
import type { Schedule, SchedulerHandlers } from "../../../alerts/src/scheduler.ts";
import type { RedisConnections } from "./connections.ts";
import { JobQueue, jobOptions, Later } from "./job-queue.ts";
import { batchMax, busyMs, surveyMs, ticksAtOnceMax } from "./limits.ts";
import { claimTick, finishTick } from "./tick-claim.ts";

interface TickJob {
  readonly rule: string;
  readonly everyMs: number;
  /** The moment for which it was evaluated in vain. */
  readonly failedMs?: number;
}

export interface TicksOptions {
  readonly connections: RedisConnections;
  readonly prefix: string;
  readonly onTick: SchedulerHandlers["onTick"];
}

/**
 * Ticks as job schedulers: one for a rule and its interval, whose jobs are named by their moments, so that several
 * processes share them. A job is worked on for the latest moment of its rule, which may be later than its own.
 */
export class Ticks {
  readonly jobs: JobQueue<TickJob>;
  readonly #options: TicksOptions;
  readonly #failures = new Map<string, number>();
  /** By the id of the job scheduler. */
  #wanted = new Map<string, Schedule>();

  constructor(options: TicksOptions) {
    this.#options = options;
    this.jobs = new JobQueue<TickJob>({
      ...options,
      name: "ticks",
      concurrency: ticksAtOnceMax,
      work: (job, signal) => this.#work(job, signal),
    });
  }

  want(schedules: readonly Schedule[]): void {
    this.#wanted = new Map(schedules.map((schedule) => [schedulerIdOf(schedule), schedule]));
    const rules = new Set(schedules.map(({ rule }) => rule));
    for (const rule of this.#failures.keys()) {
      if (!rules.has(rule)) this.#failures.delete(rule);
    }
  }

  /** Makes Redis hold what is wanted; with `remove`, and no more than that. Rejects while it is away. */
  async survey({ remove }: { remove: boolean }): Promise<void> {
    const queue = await this.jobs.queue();
    const wanted = this.#wanted;
    const next = await this.#nextMoments();
    const nowMs = Date.now();
    const extra = [...next.keys()].filter((id) => remove && !wanted.has(id));
    const ahead = (id: string, everyMs: number) => (next.get(id) ?? 0) - nowMs > everyMs + surveyMs;
    // The clock was set back: its next job would come only then.
    const early = [...wanted].filter(([id, { everyMs }]) => ahead(id, everyMs)).map(([id]) => id);
    await inBatches([...extra, ...early], async (id) => {
      await queue.removeJobScheduler(id);
    });
    for (const id of early) next.delete(id);
    const missing = [...wanted].filter(([id]) => (next.get(id) ?? 0) < nowMs - surveyMs);
    await inBatches(missing, async ([id, { rule, everyMs }]) => {
      const data = { rule, everyMs };
      const latestMs = latestOf(everyMs, Date.now());
      const startDate = latestMs + everyMs;
      const template = { name: "tick", data, opts: jobOptions };
      await queue.upsertJobScheduler(id, { every: everyMs, startDate }, template);
      // The moment before the first one may have been missed.
      await queue.add("tick", data, { ...jobOptions, jobId: `first-${id}-${latestMs}` });
    });
  }

  /** When each job scheduler's next job is due. */
  async #nextMoments(): Promise<Map<string, number>> {
    const { commands } = this.#options.connections;
    const found = await commands.zrange(this.jobs.keyOf("repeat"), "0", "-1", "WITHSCORES");
    const moments = new Map<string, number>();
    for (let i = 0; i + 1 < found.length; i += 2) {
      moments.set(found[i] as string, Number(found[i + 1]));
    }
    return moments;
  }

  async #work(job: Job<TickJob>, signal: AbortSignal): Promise<void> {
    const { rule, everyMs, failedMs } = job.data;
    if (!this.#wanted.has(schedulerIdOf(job.data))) return;
    const nowMs = Date.now();
    // BullMQ begins at once, and goes on from there, where the first moment has passed by the time that Redis is told of it.
    const ownMs = latestOf(everyMs, ownMomentOf(job.id ?? ""));
    const atMs = Math.max(latestOf(everyMs, nowMs), ownMs);
    // The moment that came meanwhile has a job of its own.
    if (failedMs !== undefined && atMs > failedMs) return;
    const { connections, prefix } = this.#options;
    const key = `${prefix}:tick:${encodeURIComponent(rule.toWellFormed())}`;
    const claim = await claimTick(connections.jobs, {
      key,
      jobId: job.id ?? "",
      jobPrefix: this.jobs.keyOf(""),
      atMs,
      everyMs,
      nowMs,
    });
    if (claim === "done") return;
    if (claim === "busy") throw new Later(busyMs);
    try {
      await this.#options.onTick({ rule, atMs }, signal);
      this.#failures.delete(rule);
    } catch {
      if (signal.aborted) throw new Later(0);
      const failures = (this.#failures.get(rule) ?? 0) + 1;
      this.#failures.set(rule, failures);
      await job.updateData({ rule, everyMs, failedMs: atMs });
      throw new Later(backoffMs(failures));
    }
    await finishTick(connections.jobs, { key, atMs, everyMs });
  }
}

/** A rule with another interval has another job scheduler. */
function schedulerIdOf({ rule, everyMs }: Schedule): string {
  return `${encodeURIComponent(rule.toWellFormed())}@${everyMs}`;
}

/** The moment for which a job scheduler made the job, which ends its id; 0 for another job. */
function ownMomentOf(jobId: string): number {
  return Number(/^repeat:.*:(\d+)$/.exec(jobId)?.[1] ?? 0);
}

function latestOf(everyMs: number, nowMs: number): number {
  return Math.floor(nowMs / everyMs) * everyMs;
}

async function inBatches<T>(items: readonly T[], deed: (item: T) => Promise<void>): Promise<void> {
  for (let at = 0; at < items.length; at += batchMax) {
    await Promise.all(items.slice(at, at + batchMax).map(deed));
  }
}
