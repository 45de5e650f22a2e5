import { randomUUID } from "node:crypto";
import type { Alert, AlertEvent, AlertTest, RuleListed } from "../../api/src/alerts.ts";
import type { Clock } from "../../kit/src/clock.ts";
import { messageOf, ServiceError } from "../../kit/src/errors.ts";
import type { Closable } from "../../kit/src/lifecycle.ts";
import type { Logger } from "../../kit/src/logger.ts";
import { pause } from "../../kit/src/pause.ts";
import { type Folded, type FoldedRule, foldJournal, type WaitingItem } from "./fold.ts";
import type { History } from "./history.ts";
import { overdueAtOnce, rewriteMs, roundMs, testsAtOnceMax } from "./limits.ts";
import { recordsFinder, timeText } from "./make-notification.ts";
import type { Notification } from "./notification.ts";
import { Outbox } from "./outbox.ts";
import type {
  AlertJournal,
  Evaluator,
  MatchSource,
  RuleStore,
  Sender,
  StoredRule,
} from "./ports.ts";
import type { Receiver, Rule } from "./rule.ts";
import { rewritten } from "./rule-book.ts";
import { stateOf, timingOf } from "./rule-facts.ts";
import { RuleRun, type RunDeps } from "./rule-run.ts";
import type { Schedule, Scheduler, SchedulerHandlers } from "./scheduler.ts";
import { SchedulerLine } from "./scheduler-line.ts";
import { type AlertFigures, Tally } from "./tally.ts";

export type { AlertFigures } from "./tally.ts";

/** What the alerts room stands on. It closes the scheduler that it opened, and none of the others. */
export interface AlertsOptions {
  /** Loaded before it is handed over: a rule that it does not list counts as deleted. */
  readonly rules: RuleStore;
  readonly journal: AlertJournal;
  readonly evaluator: Evaluator;
  readonly matches: MatchSource;
  readonly sender: Sender;
  /** Called once, at open: an `InProcessScheduler`, or one on Redis. */
  readonly openScheduler: (handlers: SchedulerHandlers) => Promise<Scheduler>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The URL of the console's search for a query between two moments, in milliseconds since the epoch. */
  readonly linkOf: (tenant: string, query: string, fromMs: number, toMs: number) => string;
  /** Setting `alerts.linesMax`. */
  readonly linesMax: number;
  /** Setting `alerts.deliveryRetryMs`. */
  readonly deliveryRetryMs: number;
  /** Of the evaluator role: raised each time the role is taken, so that entries of an earlier holder do not count. */
  readonly epoch: number;
}

/**
 * The alerts of all tenants: evaluates rules when the scheduler says so, follows records for match rules, keeps every
 * alert's state in the journal and delivers notifications at least once. Opened by whoever holds the evaluator role.
 */
export class Alerts implements Closable {
  readonly #options: AlertsOptions;
  readonly #history: History;
  readonly #tally = new Tally();
  readonly #outbox: Outbox;
  readonly #line: SchedulerLine;
  readonly #runDeps: RunDeps;
  /** By the rule's id. */
  readonly #runs = new Map<string, RuleRun>();
  /** Rules that were deleted: until their end is written, and then until their deliveries have ended. */
  readonly #leaving = new Map<string, RuleRun>();
  readonly #closing = new AbortController();
  #closed: Promise<void> | undefined;
  #unfollow: (() => void) | undefined;
  #rounds: Promise<void> = Promise.resolve();
  #tests = 0;

  private constructor(options: AlertsOptions, history: History) {
    const { journal, sender, clock, logger, deliveryRetryMs, epoch, linesMax, linkOf } = options;
    this.#options = options;
    this.#history = history;
    this.#line = new SchedulerLine(logger, this.#closing.signal);
    const tally = this.#tally;
    const receiverOf = (item: WaitingItem): Receiver => this.#receiverOf(item);
    const outboxDeps = { journal, sender, clock, logger, history, tally, epoch, deliveryRetryMs };
    this.#outbox = new Outbox({ ...outboxDeps, receiverOf });
    const { evaluator, matches } = options;
    this.#runDeps = {
      ...{ journal, clock, logger, history, tally, epoch, linesMax, linkOf, evaluator, matches },
      outbox: this.#outbox,
      handOver: (ids) => this.#line.deliver(ids),
    };
  }

  /** Reads the journal and takes up the work where it stood. Rejects when the journal or the scheduler cannot be opened. */
  static async open(options: AlertsOptions): Promise<Alerts> {
    const folded = await foldJournal(options.journal.read());
    if (folded.epoch > options.epoch) {
      throw new ServiceError("alerts.unavailable", "another process evaluates rules by now", {
        epoch: options.epoch,
      });
    }
    const alerts = new Alerts(options, folded.history);
    await alerts.#open(folded);
    return alerts;
  }

  /** The tenant's rules by name, with secrets in them: mask them before they leave the service. */
  rules(tenant: string): readonly RuleListed[] {
    return this.#runsOf(tenant).map((run) => run.listed());
  }

  /** The tenant's alerts that are pending or fire, those that fire first. */
  alerts(tenant: string): readonly Alert[] {
    const alerts = this.#runsOf(tenant).flatMap((run) => run.alerts());
    return alerts.sort((a, b) => Number(b.status === "firing") - Number(a.status === "firing"));
  }

  /** Notifications of the tenant, newest first; as many as memory keeps, at most `limit`, of one rule by its name. */
  history(
    tenant: string,
    options: { readonly limit: number; readonly rule?: string | undefined },
  ): readonly AlertEvent[] {
    return this.#history.events(tenant, options);
  }

  /**
   * Sends a notification that says it is a test to every receiver of a rule, by its name or as it is written, and
   * tells what each said. Nothing of it is kept or repeated. Rejects with `request.not-found`, and with `alerts.busy`
   * while a few others are under way.
   */
  async testNotification(tenant: string, rule: string | Rule): Promise<AlertTest> {
    const found = typeof rule === "string" ? this.#find(tenant, rule) : rule;
    if (this.#tests >= testsAtOnceMax) {
      const what = "other tests of rules are under way";
      throw new ServiceError("alerts.busy", what, { testsMax: testsAtOnceMax });
    }
    const notification = this.#testOf(tenant, found);
    this.#tests++;
    try {
      return { deliveries: await this.#sendTest(found, notification) };
    } finally {
      this.#tests--;
    }
  }

  #sendTest(found: Rule, notification: Notification): Promise<AlertTest["deliveries"]> {
    const deliveries = found.notify.map(async (receiver) => {
      const { url } = receiver.webhook;
      try {
        await this.#options.sender.send(receiver, notification, this.#closing.signal);
        return { url, delivered: true };
      } catch (thrown) {
        return { url, delivered: false, reason: messageOf(thrown) };
      }
    });
    return Promise.all(deliveries);
  }

  figures(): AlertFigures {
    let firing = 0;
    let pending = 0;
    for (const { instances } of this.#runs.values()) {
      for (const { phase } of instances) {
        if (phase === "firing") firing++;
        else pending++;
      }
    }
    const outboxWaiting = this.#outbox.size;
    return { ...this.#tally, rules: this.#runs.size, firing, pending, outboxWaiting };
  }

  /** Ends evaluations and attempts under way; what is not finished is taken up at the next open. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #open({ rules, waiting }: Folded): Promise<void> {
    this.#outbox.add(waiting);
    for (const stored of this.#options.rules.list()) this.#add(stored, rules.get(stored.id));
    for (const folded of rules.values()) {
      if (this.#runs.has(folded.ruleId)) continue;
      this.#leave(new RuleRun(goneRule(folded), folded, this.#runDeps));
    }
    try {
      const scheduler = await this.#options.openScheduler({
        onTick: async ({ rule, atMs }, signal) => this.#runs.get(rule)?.tick(atMs, signal),
        onDelivery: (id, _attempt, signal) => this.#outbox.deliver(id, signal),
      });
      this.#line.open(scheduler);
    } catch (thrown) {
      await this.close();
      throw thrown;
    }
    this.#unfollow = this.#options.rules.onChange(() => this.#reconcile());
    // Rules may have changed since they were read.
    this.#reconcile();
    this.#line.deliver(waiting.map(({ item }) => item.id));
    this.#rounds = this.#goRounds();
  }

  async #close(): Promise<void> {
    this.#unfollow?.();
    this.#closing.abort();
    const runs = [...this.#runs.values(), ...this.#leaving.values()];
    await Promise.all([this.#line.close(), ...runs.map((run) => run.close()), this.#rounds]);
  }

  /** Makes the runs be those of the store. */
  #reconcile(): void {
    if (this.#closing.signal.aborted) return;
    const listed = new Set<string>();
    for (const stored of this.#options.rules.list()) {
      listed.add(stored.id);
      const run = this.#runs.get(stored.id);
      if (run === undefined) this.#add(stored, undefined);
      else if (run.stored.version !== stored.version) run.update(stored);
    }
    for (const [id, run] of this.#runs) {
      if (listed.has(id)) continue;
      this.#runs.delete(id);
      this.#leave(run);
    }
    this.#line.schedule(() => this.#schedules());
  }

  #schedules(): readonly Schedule[] {
    return [...this.#runs.values()]
      .filter(({ stored }) => stored.rule.type === "threshold")
      .map(({ stored }) => ({ rule: stored.id, everyMs: timingOf(stored.rule).everyMs }));
  }

  #add(stored: StoredRule, folded: FoldedRule | undefined): void {
    const run = new RuleRun(stored, folded, this.#runDeps);
    this.#runs.set(stored.id, run);
    run.start();
  }

  #leave(run: RuleRun): void {
    this.#leaving.set(run.stored.id, run);
    void run.remove();
  }

  /** Now and then: hands over again what the scheduler forgot, writes again what is old. */
  async #goRounds(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      const waiting = Map.groupBy(this.#outbox.items(), ({ ruleId }) => ruleId);
      for (const [id, run] of this.#leaving) {
        if (run.isGone && !waiting.has(id)) this.#leaving.delete(id);
      }
      await this.#rewrite(waiting);
      await pause(roundMs, signal, { ref: false });
      if (!signal.aborted) this.#line.deliver(this.#outbox.overdue(overdueAtOnce));
    }
  }

  async #rewrite(waiting: ReadonlyMap<string, readonly WaitingItem[]>): Promise<void> {
    const { clock, logger } = this.#options;
    const isOld = ({ atMs }: WaitingItem): boolean => clock.now() - atMs >= rewriteMs;
    try {
      for (const [id, run] of this.#runs) await run.rewrite(waiting.get(id)?.some(isOld) ?? false);
      for (const [id, items] of waiting) {
        if (!this.#runs.has(id) && items.some(isOld)) await this.#rewriteGone(items);
      }
    } catch (thrown) {
      logger.warn({ reason: messageOf(thrown) }, "alerts are not written again now");
    }
  }

  /** What rules that are gone have still to tell, in an entry that is young. */
  async #rewriteGone(items: readonly WaitingItem[]): Promise<void> {
    const { clock, journal, epoch } = this.#options;
    const [first] = items;
    if (first === undefined) return;
    const { tenant, ruleId, definition } = first;
    const facts = { epoch, atMs: clock.now(), tenant, ruleId };
    const state = stateOf(definition);
    const entry = rewritten(state, items, { ...facts, rule: definition.name });
    await journal.append([entry, { kind: "gone", ...facts }]);
    this.#outbox.rewritten(items, facts.atMs);
  }

  #runsOf(tenant: string): readonly RuleRun[] {
    const runs = [...this.#runs.values()].filter(({ stored }) => stored.tenant === tenant);
    return runs.sort((a, b) => (a.stored.rule.name < b.stored.rule.name ? -1 : 1));
  }

  #find(tenant: string, name: string): Rule {
    const found = this.#runsOf(tenant).find(({ stored }) => stored.rule.name === name);
    if (found === undefined) throw new ServiceError("request.not-found", "no such rule", { name });
    return found.stored.rule;
  }

  #receiverOf({ ruleId, item: { url } }: WaitingItem): Receiver {
    const run = this.#runs.get(ruleId) ?? this.#leaving.get(ruleId);
    // The secret of a receiver that was removed while nobody evaluated is not known any more.
    return run?.receiverOf(url) ?? { webhook: { url } };
  }

  #testOf(tenant: string, rule: Rule): Notification {
    const now = this.#options.clock.now();
    const time = timeText(now);
    const { query, fromMs, toMs } = recordsFinder(rule)({ activeMs: now, labels: {} }, now);
    return {
      status: "firing",
      rule: rule.name,
      labels: rule.labels,
      count: 1,
      lines: [{ _time: time, _msg: `this is a test of the rule ${rule.name}` }],
      startsAt: time,
      endsAt: null,
      dedupeKey: `test-${randomUUID()}`,
      link: this.#options.linkOf(tenant, query, fromMs, toMs),
    };
  }
}

/** A rule that only the journal knows. */
function goneRule({ tenant, ruleId, state }: FoldedRule): StoredRule {
  return { tenant, id: ruleId, version: -1, rule: state.definition, createdMs: 0, updatedMs: 0 };
}
