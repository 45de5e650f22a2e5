import { randomUUID } from "node:crypto";
import type { Schedule, Scheduler, SchedulerHandlers } from "../../../alerts/src/scheduler.ts";
import type { Logger } from "../../../kit/src/logger.ts";
import { pause } from "../../../kit/src/pause.ts";
import { RedisConnections } from "./connections.ts";
import { Deliveries } from "./deliveries.ts";
import { closeMsMax, retryMs, scheduleWaitMs, surveyMs } from "./limits.ts";
import { Ticks } from "./ticks.ts";

export interface RedisSchedulerOptions {
  /** `redis://[user:password@]host:port[/db]`, or `rediss://` for TLS. */
  readonly url: string;
  /** Clusters that share a Redis do not see each other's jobs. */
  readonly clusterId: string;
  readonly logger: Logger;
  /** How often what Redis should hold is compared with what it does, in milliseconds; it has a default. */
  readonly surveyMs?: number;
}

/**
 * A scheduler on Redis, which several processes may share: each tick and each delivery is worked on by one of them, and
 * taken over within seconds from one that died. Resolves at once, whether Redis is there or not: while it is away nothing
 * is called, and when it is back, with its memory or without, all goes on.
 */
export function openRedisScheduler(
  options: RedisSchedulerOptions,
  handlers: SchedulerHandlers,
): Promise<Scheduler> {
  return Promise.resolve(new RedisScheduler(options, handlers));
}

class RedisScheduler implements Scheduler {
  readonly #connections: RedisConnections;
  readonly #ticks: Ticks;
  readonly #deliveries: Deliveries;
  readonly #memoryKey: string;
  readonly #surveyMs: number;
  readonly #ending = new AbortController();
  /** What Redis must have answered for its memory to be the one that it had. */
  #memory: string | undefined;
  #isScheduled = false;
  #isToRemove = false;
  #isToSurvey = false;
  #isToTell = false;
  #work: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;

  constructor(
    { url, clusterId, logger, surveyMs: everyMs = surveyMs }: RedisSchedulerOptions,
    handlers: SchedulerHandlers,
  ) {
    this.#surveyMs = everyMs;
    const prefix = `logkeep:${clusterId}`;
    this.#memoryKey = `${prefix}:memory`;
    const onReady = (): void => this.#kick({ survey: true });
    const connections = new RedisConnections(url, { logger, onReady });
    this.#connections = connections;
    this.#ticks = new Ticks({ connections, prefix, onTick: handlers.onTick });
    this.#deliveries = new Deliveries({
      connections,
      prefix,
      onDelivery: handlers.onDelivery,
      onNew: () => this.#kick({ survey: false }),
    });
    this.#timer = setTimeout(() => this.#kick({ survey: true }), everyMs);
  }

  async schedule(schedules: readonly Schedule[]): Promise<void> {
    if (this.#isClosed) return;
    this.#ticks.want(schedules);
    this.#isScheduled = true;
    this.#isToRemove = true;
    this.#ticks.jobs.start();
    this.#deliveries.jobs.start();
    this.#kick({ survey: true });
    const waiting = new AbortController();
    const signal = AbortSignal.any([waiting.signal, this.#ending.signal]);
    await Promise.race([this.#work, pause(scheduleWaitMs, signal)]);
    waiting.abort();
  }

  deliver(id: string): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    this.#deliveries.jobs.start();
    this.#deliveries.add(id);
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  get #isClosed(): boolean {
    return this.#ending.signal.aborted;
  }

  /** Tells Redis what is new, and compares all with it when a survey is asked for; one such work at a time. */
  #kick({ survey }: { survey: boolean }): void {
    if (this.#isClosed) return;
    this.#isToTell = true;
    this.#isToSurvey ||= survey;
    this.#work ??= this.#catchUp();
  }

  async #catchUp(): Promise<void> {
    // What is asked for in one turn goes together.
    await Promise.resolve();
    let waitMs = this.#surveyMs;
    try {
      while ((this.#isToSurvey || this.#isToTell) && this.#connections.isReady && !this.#isClosed) {
        if (this.#isToSurvey) await this.#survey();
        this.#isToTell = false;
        await this.#deliveries.tell();
      }
    } catch (thrown) {
      this.#isToSurvey = true;
      this.#isToTell = true;
      waitMs = retryMs;
      this.#connections.report(thrown, "redis does not take what it is told");
    }
    // No turn lies between the last look at what is asked for and this.
    this.#work = undefined;
    clearTimeout(this.#timer);
    if (!this.#isClosed) this.#timer = setTimeout(() => this.#kick({ survey: true }), waitMs);
  }

  async #survey(): Promise<void> {
    this.#isToSurvey = false;
    const remove = this.#isToRemove;
    this.#isToRemove = false;
    try {
      if (this.#isScheduled) await this.#ticks.survey({ remove });
    } catch (thrown) {
      this.#isToRemove ||= remove;
      throw thrown;
    }
    if ((await this.#compare([])) === undefined) return;
    await this.#deliveries.survey((keys) => this.#compare(keys));
  }

  /** Whether each key is there; undefined when Redis was restarted or emptied since this was asked last. */
  async #compare(keys: readonly string[]): Promise<readonly boolean[] | undefined> {
    const { memory, there } = await this.#look(keys);
    if (memory === this.#memory) return there;
    // Only here, together with what follows from it: an answer may come from another Redis than was asked.
    this.#memory = memory;
    this.#deliveries.lost();
    return undefined;
  }

  /** All in one transaction, so that nothing is lost between the parts. */
  async #look(
    keys: readonly string[],
  ): Promise<{ readonly memory: string; readonly there: readonly boolean[] }> {
    const transaction = this.#connections.commands.multi();
    transaction.set(this.#memoryKey, randomUUID(), "NX");
    transaction.get(this.#memoryKey);
    // A restart, or a replica that took over, may have lost the last writes.
    transaction.info("server");
    for (const key of keys) transaction.exists(key);
    const answers = (await transaction.exec()) ?? [];
    const failed = answers.find(([error]) => error !== null);
    if (failed?.[0]) throw failed[0];
    const [, written, info, ...there] = answers.map(([, answer]) => answer);
    const run = /run_id:(\w+)/.exec(String(info))?.[1] ?? "";
    return { memory: `${String(written)} ${run}`, there: there.map((count) => count === 1) };
  }

  async #close(): Promise<void> {
    this.#ending.abort();
    clearTimeout(this.#timer);
    const queues = [this.#ticks.jobs, this.#deliveries.jobs];
    const ended = Promise.allSettled(queues.map((queue) => queue.end()));
    const patience = new AbortController();
    await Promise.race([ended, pause(closeMsMax, patience.signal)]);
    patience.abort();
    for (const queue of queues) queue.giveUp();
    this.#connections.close();
    for (const queue of queues) await queue.settled();
  }
}
