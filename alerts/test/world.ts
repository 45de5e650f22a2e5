import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "../../kit/src/clock.ts";
import { type Logger, silentLogger } from "../../kit/src/logger.ts";
import { Alerts, type AlertsOptions } from "../src/engine.ts";
import type { AlertEntry } from "../src/entry.ts";
import type { Notification } from "../src/notification.ts";
import type {
  AlertRecord,
  EvaluationRange,
  MatchBatch,
  MatchSource,
  RuleStore,
  StoredRule,
} from "../src/ports.ts";
import { type Rule, ruleSchema } from "../src/rule.ts";
import type { Schedule, Scheduler, SchedulerHandlers } from "../src/scheduler.ts";

/** A rule with its defaults, from what a test says of it. */
export function ruleOf(form: object): Rule {
  return ruleSchema.parse({
    name: "r",
    notify: [{ webhook: { url: "http://one/hook" } }],
    ...form,
  });
}

/** A clock that only tests move. */
export class HandClock implements Clock {
  nowMs = Date.UTC(2026, 10, 21, 12);
  now(): number {
    return this.nowMs;
  }
  monotonicMs(): number {
    return this.nowMs;
  }
}

/** Rules in memory. */
export class MemoryRules implements RuleStore {
  readonly #rules = new Map<string, StoredRule>();
  readonly #listeners = new Set<() => void>();
  #ids = 0;

  list(): readonly StoredRule[] {
    return [...this.#rules.values()];
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  put(tenant: string, rule: Rule): Promise<StoredRule> {
    const before = this.#rules.get(`${tenant} ${rule.name}`);
    const stored: StoredRule = {
      tenant,
      id: before?.id ?? `id-${this.#ids++}`,
      version: (before?.version ?? -1) + 1,
      rule,
      createdMs: 0,
      updatedMs: 0,
    };
    this.#rules.set(`${tenant} ${rule.name}`, stored);
    for (const listener of this.#listeners) listener();
    return Promise.resolve(stored);
  }

  delete(tenant: string, name: string): Promise<void> {
    this.#rules.delete(`${tenant} ${name}`);
    for (const listener of this.#listeners) listener();
    return Promise.resolve();
  }

  forgetListeners(): void {
    this.#listeners.clear();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** Calls when tests say so. */
export class HandScheduler implements Scheduler {
  readonly handlers: SchedulerHandlers;
  readonly ids = new Set<string>();
  schedules: readonly Schedule[] = [];
  readonly #abort = new AbortController();

  constructor(handlers: SchedulerHandlers) {
    this.handlers = handlers;
  }

  schedule(schedules: readonly Schedule[]): Promise<void> {
    this.schedules = schedules;
    return Promise.resolve();
  }

  deliver(id: string): Promise<void> {
    this.ids.add(id);
    return Promise.resolve();
  }

  tick(rule: string, atMs: number): Promise<void> {
    return this.handlers.onTick({ rule, atMs }, this.#abort.signal);
  }

  /** Calls once for each delivery that waits; gives what each asked for. */
  async callAll(): Promise<(number | undefined)[]> {
    const asked = [...this.ids].map(async (id) => {
      const laterMs = await this.handlers.onDelivery(id, 1, this.#abort.signal);
      if (laterMs === undefined) this.ids.delete(id);
      return laterMs;
    });
    return Promise.all(asked);
  }

  close(): Promise<void> {
    this.#abort.abort();
    return Promise.resolve();
  }
}

type Follow = Parameters<MatchSource["follow"]>;

/** What one match rule follows. */
export interface Following {
  readonly life: number;
  readonly options: Follow[0];
  readonly give: (batch: MatchBatch) => Promise<void>;
  readonly fail: (error: Error) => void;
}

export interface Sent {
  readonly url: string;
  readonly secret: string | undefined;
  readonly notification: Notification;
}

/**
 * Everything around the alerts: rules, journal, index and receivers outlive an engine, so that tests can end one as a
 * crash does and open the next.
 */
export class World {
  /** The one that tests move, unless the test told another. */
  readonly clock: HandClock;
  readonly rules = new MemoryRules();
  readonly journal: AlertEntry[] = [];
  readonly sent: Sent[] = [];
  readonly followings: Following[] = [];
  readonly questions: { readonly query: string; readonly range: EvaluationRange }[] = [];
  /** What the index answers. */
  rows: (query: string, range: EvaluationRange) => readonly AlertRecord[] = () => [];
  lines: (query: string) => readonly AlertRecord[] = () => [];
  /** What a receiver does with a notification: rejects to refuse it. */
  receive: (sent: Sent) => Promise<void> = () => Promise.resolve();
  /** Called at each step with an effect: a crash is to happen where it gives true. */
  crashesAt: (step: string) => boolean = () => false;
  onAppend: (entries: readonly AlertEntry[]) => Promise<void> = () => Promise.resolve();
  scheduler: HandScheduler | undefined;
  #epoch = 0;
  #engine: Alerts | undefined;
  /** Of the engine that lives: an older one has no effects any more. */
  #life = 0;
  #crashed = Promise.withResolvers<never>();

  readonly #engineClock: Clock;

  constructor({ clock }: { readonly clock?: Clock } = {}) {
    this.clock = new HandClock();
    this.#engineClock = clock ?? this.clock;
  }

  /** Opens an engine, as a newer holder of the role. */
  async open(overrides: Partial<AlertsOptions> = {}): Promise<Alerts> {
    this.#epoch++;
    this.#life++;
    this.#crashed = Promise.withResolvers<never>();
    this.#crashed.promise.catch(() => undefined);
    const life = this.#life;
    const engine = await Alerts.open({ ...this.#options(silentLogger), ...overrides });
    if (life === this.#life) this.#engine = engine;
    return engine;
  }

  /** Closes the engine that lives; one that crashed has no end. */
  async close(): Promise<void> {
    await this.#engine?.close();
  }

  /** The number of the engine that lives, or none's after a crash. */
  get life(): number {
    return this.#life;
  }

  /** The engine that lives. */
  get engine(): Alerts | undefined {
    return this.#engine;
  }

  /** Rejects when the engine that was opened last crashes. */
  get crashed(): Promise<never> {
    return this.#crashed.promise;
  }

  /** Ends the engine that lives: nothing that it does from now on has an effect, or an end. */
  crash(): void {
    this.#life++;
    this.#engine = undefined;
    this.rules.forgetListeners();
    this.#crashed.reject(new Error("crashed"));
  }

  /** Notifications that arrived, each once, as `firing`, `resolved` with what tells alerts apart. */
  keys(): readonly string[] {
    return [...new Set(this.sent.map(({ notification }) => notification.dedupeKey))];
  }

  #options(logger: Logger): AlertsOptions {
    const life = this.#life;
    const point = async (step: string): Promise<void> => {
      if (life === this.#life && this.crashesAt(step)) this.crash();
      // What is dead does nothing more.
      if (life !== this.#life) await new Promise<never>(() => undefined);
    };
    return {
      rules: this.rules,
      journal: {
        append: async (entries) => {
          await point("append");
          await this.onAppend(entries);
          // Through JSON, as a journal on disk.
          for (const entry of entries) {
            this.journal.push(JSON.parse(JSON.stringify(entry)) as AlertEntry);
          }
          await point("appended");
        },
        read: () => iterate(this.journal),
      },
      evaluator: {
        rows: async (_tenant, query, range) => {
          this.questions.push({ query, range });
          await point("rows");
          return this.rows(query, range);
        },
        lines: async (_tenant, query, _range, limit) => {
          await point("lines");
          return this.lines(query).slice(0, limit);
        },
      },
      matches: { follow: (...follow) => this.#follow(life, follow) },
      sender: {
        send: async (receiver, notification) => {
          await point("send");
          const sent = { url: receiver.webhook.url, secret: receiver.webhook.secret, notification };
          await this.receive(sent);
          this.sent.push(sent);
          await point("sent");
        },
      },
      openScheduler: (handlers) => {
        this.scheduler = new HandScheduler(handlers);
        return Promise.resolve(this.scheduler);
      },
      clock: this.#engineClock,
      logger,
      linkOf: (tenant, query, fromMs, toMs) =>
        `http://console/?${new URLSearchParams({ tenant, query, from: `${fromMs}`, to: `${toMs}` })}`,
      linesMax: 3,
      deliveryRetryMs: 3_600_000,
      epoch: this.#epoch,
    };
  }

  #follow(life: number, [options, onBatch]: Follow): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    options.signal.addEventListener("abort", () => resolve(), { once: true });
    this.followings.push({
      life,
      options,
      fail: reject,
      // As a source does: what cannot be taken ends it.
      give: async (batch) => {
        try {
          await onBatch(batch);
        } catch (thrown) {
          reject(thrown as Error);
          throw thrown;
        }
      },
    });
    return promise;
  }
}

/** Delivers until nothing waits, as long as attempts fail by moving the clock on. */
export async function deliverAll(world: World): Promise<void> {
  for (let round = 0; round < 20 && world.scheduler !== undefined; round++) {
    const asked = await world.scheduler.callAll();
    const waits = asked.filter((laterMs) => laterMs !== undefined);
    if (waits.length === 0) return;
    world.clock.nowMs += Math.min(...waits);
  }
}

export async function until(claim: () => boolean): Promise<void> {
  const endMs = performance.now() + 60_000;
  while (!claim()) {
    if (performance.now() > endMs) throw new Error(`in vain: ${claim}`);
    await sleep(5);
  }
}

async function* iterate(entries: readonly AlertEntry[]): AsyncGenerator<AlertEntry> {
  for (const entry of [...entries]) {
    await Promise.resolve();
    yield entry;
  }
}
