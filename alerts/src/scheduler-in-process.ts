import type { Clock } from "../../kit/src/clock.ts";
import { messageOf } from "../../kit/src/errors.ts";
import type { Logger } from "../../kit/src/logger.ts";
import { backoffMs } from "./backoff.ts";
import { deliveriesAtOnceMax, ticksAtOnceMax } from "./limits.ts";
import type { Schedule, Scheduler, SchedulerHandlers } from "./scheduler.ts";

export interface InProcessSchedulerOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Calls side by side; both have defaults. */
  readonly ticksAtOnce?: number;
  readonly deliveriesAtOnce?: number;
}

interface Ticked {
  everyMs: number;
  /** The newest tick that was handed out. */
  lastMs: number;
  /** The tick that waits for its turn, or for its next attempt; a newer one takes its place. */
  waitingMs: number | undefined;
  failures: number;
  /** By the monotonic clock; before it a waiting tick is not tried again. */
  notBeforeMs: number;
  isQueued: boolean;
}

interface Waiting {
  attempts: number;
  timer: NodeJS.Timeout | undefined;
}

/** The longest sleep between two looks at the clock, which may be set meanwhile. */
const lookMsMost = 1000;

/**
 * The scheduler of one process, without a memory of its own: after a start its schedules come from the rules and its
 * deliveries from the journal. Ticks are multiples of a rule's interval; a rule that is new here gets its latest one at
 * once, so that one missed during a restart is made up for. All rules of one interval are due together, but only a few
 * are evaluated side by side, in turn.
 */
export class InProcessScheduler implements Scheduler {
  readonly #handlers: SchedulerHandlers;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #ticksAtOnce: number;
  readonly #deliveriesAtOnce: number;
  readonly #abort = new AbortController();
  readonly #rules = new Map<string, Ticked>();
  readonly #tickQueue: string[] = [];
  readonly #deliveries = new Map<string, Waiting>();
  readonly #deliveryQueue: string[] = [];
  readonly #running = new Set<Promise<void>>();
  /** Rules under evaluation; one that was removed and came back waits for its old call. */
  readonly #ticking = new Set<string>();
  #deliveriesRunning = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    handlers: SchedulerHandlers,
    {
      clock,
      logger,
      ticksAtOnce = ticksAtOnceMax,
      deliveriesAtOnce = deliveriesAtOnceMax,
    }: InProcessSchedulerOptions,
  ) {
    this.#handlers = handlers;
    this.#clock = clock;
    this.#logger = logger;
    this.#ticksAtOnce = ticksAtOnce;
    this.#deliveriesAtOnce = deliveriesAtOnce;
  }

  schedule(schedules: readonly Schedule[]): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    const wanted = new Map(schedules.map(({ rule, everyMs }) => [rule, everyMs]));
    for (const rule of this.#rules.keys()) {
      if (!wanted.has(rule)) this.#rules.delete(rule);
    }
    for (const [rule, everyMs] of wanted) {
      const known = this.#rules.get(rule);
      if (known === undefined) this.#rules.set(rule, newlyTicked(everyMs));
      else if (known.everyMs !== everyMs) {
        known.everyMs = everyMs;
        known.lastMs = Number.NEGATIVE_INFINITY;
      }
    }
    this.#look();
    return Promise.resolve();
  }

  deliver(id: string): Promise<void> {
    if (this.#isClosed || this.#deliveries.has(id)) return Promise.resolve();
    this.#deliveries.set(id, { attempts: 0, timer: undefined });
    this.#deliveryQueue.push(id);
    this.#startDeliveries();
    return Promise.resolve();
  }

  async close(): Promise<void> {
    this.#abort.abort();
    clearTimeout(this.#timer);
    for (const { timer } of this.#deliveries.values()) clearTimeout(timer);
    this.#deliveries.clear();
    this.#rules.clear();
    await Promise.all(this.#running);
  }

  get #isClosed(): boolean {
    return this.#abort.signal.aborted;
  }

  /** Queues what is due and sleeps until the next tick. */
  #look(): void {
    clearTimeout(this.#timer);
    if (this.#isClosed) return;
    const now = this.#clock.now();
    const monotonic = this.#clock.monotonicMs();
    let sleepMs = lookMsMost;
    for (const [rule, ticked] of this.#rules) {
      const dueMs = Math.floor(now / ticked.everyMs) * ticked.everyMs;
      // A clock that was set back by more than one tick begins a new count.
      if (dueMs > ticked.lastMs || dueMs < ticked.lastMs - ticked.everyMs) {
        ticked.waitingMs = dueMs;
        ticked.lastMs = dueMs;
      }
      sleepMs = Math.min(sleepMs, dueMs + ticked.everyMs - now);
      if (ticked.waitingMs === undefined || ticked.isQueued) continue;
      if (this.#ticking.has(rule)) continue;
      const waitMs = ticked.notBeforeMs - monotonic;
      if (waitMs > 0) sleepMs = Math.min(sleepMs, waitMs);
      else {
        ticked.isQueued = true;
        this.#tickQueue.push(rule);
      }
    }
    this.#timer = setTimeout(() => this.#look(), Math.max(sleepMs, 1));
    this.#startTicks();
  }

  #startTicks(): void {
    while (this.#ticking.size < this.#ticksAtOnce && !this.#isClosed) {
      const rule = this.#tickQueue.shift();
      if (rule === undefined) return;
      const ticked = this.#rules.get(rule);
      if (ticked === undefined) continue;
      ticked.isQueued = false;
      const atMs = ticked.waitingMs;
      if (atMs === undefined || this.#ticking.has(rule)) continue;
      ticked.waitingMs = undefined;
      this.#ticking.add(rule);
      this.#follow(
        this.#tick(rule, ticked, atMs).finally(() => {
          this.#ticking.delete(rule);
          this.#look();
        }),
      );
    }
  }

  async #tick(rule: string, ticked: Ticked, atMs: number): Promise<void> {
    try {
      await this.#handlers.onTick({ rule, atMs }, this.#abort.signal);
      ticked.failures = 0;
    } catch (thrown) {
      if (this.#isClosed) return;
      ticked.failures++;
      // A tick that became due meanwhile says more than this one.
      ticked.waitingMs ??= atMs;
      ticked.notBeforeMs = this.#clock.monotonicMs() + backoffMs(ticked.failures);
      this.#logger.debug({ rule, atMs, reason: messageOf(thrown) }, "tick is tried again");
    }
  }

  #startDeliveries(): void {
    while (this.#deliveriesRunning < this.#deliveriesAtOnce && !this.#isClosed) {
      const id = this.#deliveryQueue.shift();
      if (id === undefined) return;
      const waiting = this.#deliveries.get(id);
      if (waiting === undefined) continue;
      this.#deliveriesRunning++;
      this.#follow(
        this.#attempt(id, waiting).finally(() => {
          this.#deliveriesRunning--;
          this.#startDeliveries();
        }),
      );
    }
  }

  async #attempt(id: string, waiting: Waiting): Promise<void> {
    waiting.attempts++;
    let againMs: number | undefined;
    try {
      againMs = await this.#handlers.onDelivery(id, waiting.attempts, this.#abort.signal);
    } catch (thrown) {
      againMs = backoffMs(waiting.attempts);
      this.#logger.debug({ id, reason: messageOf(thrown) }, "delivery is tried again");
    }
    if (againMs === undefined) this.#deliveries.delete(id);
    if (againMs === undefined || this.#isClosed) return;
    waiting.timer = setTimeout(() => {
      this.#deliveryQueue.push(id);
      this.#startDeliveries();
    }, againMs);
  }

  #follow(call: Promise<void>): void {
    const followed = call.finally(() => this.#running.delete(followed));
    this.#running.add(followed);
  }
}

function newlyTicked(everyMs: number): Ticked {
  return {
    everyMs,
    lastMs: Number.NEGATIVE_INFINITY,
    waitingMs: undefined,
    failures: 0,
    notBeforeMs: 0,
    isQueued: false,
  };
}
