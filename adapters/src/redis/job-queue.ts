import { type Job, type JobsOptions, Queue, Worker } from "bullmq";
import { pause } from "../../../kit/src/pause.ts";
import type { RedisConnections } from "./connections.ts";
import { eventsMax, lockMs, retryMs, stalledLookMs } from "./limits.ts";

/** Thrown by a job that is not done: it comes again after so many milliseconds. */
export class Later extends Error {
  override readonly name = "Later";
  readonly delayMs: number;

  constructor(delayMs: number) {
    super("later");
    this.delayMs = Math.max(0, Math.ceil(delayMs));
  }
}

export interface JobQueueOptions<Data> {
  readonly connections: RedisConnections;
  readonly prefix: string;
  readonly name: string;
  /** Jobs under way at once in this process. */
  readonly concurrency: number;
  /** The signal aborts at the end, and when the job has been taken over. */
  readonly work: (job: Job<Data>, signal: AbortSignal) => Promise<void>;
  /** Redis has forgotten the job. */
  readonly onCompleted?: (job: Job<Data>) => void;
}

/** No number of failures ends a job: what is of no use any more ends when its work says so. */
const forever = 2 ** 31 - 1;

/** Of every job: what has ended leaves nothing behind. */
export const jobOptions: JobsOptions = {
  attempts: forever,
  backoff: { type: "later" },
  removeOnComplete: true,
  removeOnFail: true,
  stackTraceLimit: 0,
};

/** A BullMQ queue with its worker in this process, which are made anew where Redis went away while they were made. */
export class JobQueue<Data> {
  readonly #options: JobQueueOptions<Data>;
  readonly #ending = new AbortController();
  readonly #calls = new Set<Promise<void>>();
  readonly #givenUp = Promise.withResolvers<never>();
  #queue: Promise<Queue<Data>> | undefined;
  #worker: Worker<Data> | undefined;
  #running: Promise<void> | undefined;

  constructor(options: JobQueueOptions<Data>) {
    this.#options = options;
    this.#givenUp.promise.catch(() => undefined);
  }

  /** Rejects while Redis is away. */
  async queue(): Promise<Queue<Data>> {
    this.#queue ??= this.#openQueue();
    try {
      return await this.#queue;
    } catch (thrown) {
      this.#queue = undefined;
      throw thrown;
    }
  }

  /** The key of something of this queue. */
  keyOf(name: string): string {
    return `${this.#options.prefix}:${this.#options.name}:${name}`;
  }

  /** Jobs are worked on from now on. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** Takes no more jobs, aborts those under way and hands them back; resolves when their work has ended. */
  async end(): Promise<void> {
    this.#ending.abort();
    const worker = this.#worker;
    if (worker !== undefined) await worker.close();
    await this.settled();
  }

  /** Lets go of work that does not end; what it gives back has no effect. */
  giveUp(): void {
    this.#givenUp.reject(new Later(0));
    // A worker whose commands are never answered would renew its locks for ever.
    void this.#worker?.["lockManager"].close();
  }

  async settled(): Promise<void> {
    await Promise.allSettled(this.#calls);
  }

  async #openQueue(): Promise<Queue<Data>> {
    const { connections, prefix, name } = this.#options;
    if (!connections.isReady) throw new Error("redis is away");
    const queue = new Queue<Data>(name, {
      connection: connections.commands,
      prefix,
      streams: { events: { maxLen: eventsMax } },
    });
    queue.on("error", (error) => connections.report(error, "queue on redis failed"));
    await queue.waitUntilReady();
    return queue;
  }

  async #run(): Promise<void> {
    const { connections } = this.#options;
    const { signal } = this.#ending;
    while (!signal.aborted) {
      if (connections.isReady) {
        const worker = this.#openWorker();
        try {
          await worker.waitUntilReady();
          if (!signal.aborted) await worker.run();
        } catch (thrown) {
          connections.report(thrown, "worker on redis failed");
        }
        if (signal.aborted) return;
        worker.close(true).catch(() => undefined);
      }
      await pause(connections.isReady ? retryMs : 100, signal);
    }
  }

  #openWorker(): Worker<Data> {
    const { connections, prefix, name, concurrency, onCompleted } = this.#options;
    const worker = new Worker<Data>(
      name,
      (job: Job<Data>, _token?: string, taken?: AbortSignal) => this.#work(job, taken),
      {
        connection: connections.jobs,
        prefix,
        concurrency,
        autorun: false,
        lockDuration: lockMs,
        stalledInterval: stalledLookMs,
        // A job is not to blame for the processes that died over it.
        maxStalledCount: forever,
        runRetryDelay: retryMs,
        settings: {
          backoffStrategy: (_attempts, _type, error) =>
            error instanceof Later ? error.delayMs : retryMs,
        },
      },
    );
    this.#worker = worker;
    worker.on("error", (error) => connections.report(error, "worker on redis failed"));
    worker.on("lockRenewalFailed", (ids) => {
      for (const id of ids) worker.cancelJob(id, "taken over");
    });
    if (onCompleted !== undefined) worker.on("completed", onCompleted);
    return worker;
  }

  async #work(job: Job<Data>, taken: AbortSignal | undefined): Promise<void> {
    const { signal } = this.#ending;
    const either = taken === undefined ? signal : AbortSignal.any([signal, taken]);
    const call = this.#options.work(job, either);
    const followed = call.finally(() => this.#calls.delete(followed));
    this.#calls.add(followed);
    followed.catch(() => undefined);
    await Promise.race([call, this.#givenUp.promise]);
  }
}
