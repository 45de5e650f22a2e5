import type { Clock } from "../../kit/src/clock.ts";
import { crashPoint } from "../../kit/src/crash-point.ts";
import { messageOf, ServiceError } from "../../kit/src/errors.ts";
import type { Logger } from "../../kit/src/logger.ts";
import { type Condition, conditionHolds, parseCondition } from "./condition.ts";
import type { InstanceState, RuleState } from "./entry.ts";
import {
  heldWriteMsMin,
  instanceLabelsBytesMax,
  instancesMax,
  linesAlertsMax,
  ticksBackMsMax,
} from "./limits.ts";
import { recordsFinder, type Told } from "./make-notification.ts";
import type { AlertRecord, Evaluator } from "./ports.ts";
import type { Rule } from "./rule.ts";
import type { RuleBook } from "./rule-book.ts";
import { timingOf } from "./rule-facts.ts";
import type { RuleHealth } from "./rule-health.ts";
import { step } from "./step.ts";
import type { Tally } from "./tally.ts";
import {
  type GroupValue,
  planThreshold,
  rangeOfTick,
  type ThresholdPlan,
  valuesOf,
} from "./threshold.ts";

export interface ThresholdWatchDeps {
  readonly evaluator: Evaluator;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly tally: Tally;
  readonly linesMax: number;
}

interface Outcome {
  readonly instances: readonly InstanceState[];
  readonly told: readonly Told[];
  /** What had to be left out. */
  readonly warning: string | undefined;
}

/** Evaluates a threshold, as one version of the rule has it, whenever a tick comes. */
export class ThresholdWatch {
  readonly #rule: Rule;
  readonly #book: RuleBook;
  readonly #health: RuleHealth;
  readonly #deps: ThresholdWatchDeps;
  readonly #plan: ThresholdPlan;
  readonly #condition: Condition;
  readonly #stopped = new AbortController();

  constructor(rule: Rule, book: RuleBook, health: RuleHealth, deps: ThresholdWatchDeps) {
    this.#rule = rule;
    this.#book = book;
    this.#health = health;
    this.#deps = deps;
    this.#plan = planThreshold(rule.query);
    this.#condition = parseCondition(rule.condition ?? "");
  }

  /** Rejects when it is worth another attempt; what a query does wrong as such is remembered instead. */
  tick(atMs: number, signal: AbortSignal): Promise<void> {
    return this.#book.inTurn(async () => {
      if (this.#stopped.signal.aborted || this.#wasSeen(atMs)) return;
      const either = AbortSignal.any([signal, this.#stopped.signal]);
      try {
        await this.#evaluate(atMs, either);
      } catch (thrown) {
        signal.throwIfAborted();
        // Another version of the rule has begun; its own ticks come.
        if (either.aborted) return;
        this.#health.failed(thrown);
        const isOurs = !(thrown instanceof ServiceError) || thrown.status >= 429;
        if (isOurs) throw thrown;
      }
    });
  }

  stop(): Promise<void> {
    this.#stopped.abort();
    return Promise.resolve();
  }

  #wasSeen(atMs: number): boolean {
    const { tickMs } = this.#book.state;
    return tickMs !== undefined && atMs <= tickMs && tickMs - atMs <= ticksBackMsMax;
  }

  async #evaluate(atMs: number, signal: AbortSignal): Promise<void> {
    const rows = await this.#rows(atMs, signal);
    const { instances, told, warning } = this.#stepAll(atMs, rows);
    const state: RuleState = { ...this.#book.state, instances, tickMs: atMs };
    const withLines = await this.#withLines(told, signal);
    signal.throwIfAborted();
    if (this.#isWorthWriting(state)) {
      crashPoint("alerts.evaluated");
      await this.#book.write(state, withLines);
    } else this.#book.remember(state);
    this.#health.evaluated(atMs, warning);
  }

  async #rows(atMs: number, signal: AbortSignal): Promise<readonly AlertRecord[]> {
    const { evaluator, clock, tally } = this.#deps;
    const { everyMs } = timingOf(this.#rule);
    const range = rangeOfTick(this.#plan, everyMs, atMs);
    const startMs = clock.monotonicMs();
    tally.evaluations++;
    try {
      return await evaluator.rows(this.#book.tenant, this.#rule.query, range, signal);
    } catch (thrown) {
      if (!signal.aborted) tally.evaluationFailures++;
      throw thrown;
    } finally {
      tally.evaluationSeconds += (clock.monotonicMs() - startMs) / 1000;
    }
  }

  #stepAll(atMs: number, rows: readonly AlertRecord[]): Outcome {
    const values = valuesOf(this.#plan, rows);
    const timing = timingOf(this.#rule);
    const before = new Map(this.#book.state.instances.map((each) => [each.key, each]));
    const instances: InstanceState[] = [];
    const told: Told[] = [];
    let leftOut = 0;
    const take = (group: GroupValue | InstanceState, value: number | undefined): void => {
      const { key, labels } = group;
      const holds = value !== undefined && conditionHolds(this.#condition, value);
      const number = Number.isNaN(value) ? undefined : value;
      const input = { kind: "tick", atMs, holds, value: number } as const;
      const { state, transition } = step(before.get(key), { key, labels }, timing, input);
      if (state !== undefined) instances.push(state);
      if (transition !== undefined) told.push({ ...transition, atMs, lines: [] });
    };
    // Those that there were come first: what fires is not pushed out by what is new.
    for (const [key, instance] of before) take(instance, values.get(key)?.value);
    for (const group of values.values()) {
      if (before.has(group.key) || !conditionHolds(this.#condition, group.value)) continue;
      const isLong = Buffer.byteLength(group.key) > instanceLabelsBytesMax;
      if (isLong || instances.length >= instancesMax) leftOut++;
      else take(group, group.value);
    }
    const warning =
      leftOut === 0 ? undefined : `${leftOut} groups more than fit are left out (${instancesMax})`;
    return { instances, told, warning };
  }

  /** The alerts that begin to fire, with their newest records as far as there is room; a failure costs only these. */
  async #withLines(told: readonly Told[], signal: AbortSignal): Promise<readonly Told[]> {
    const { evaluator, linesMax, logger } = this.#deps;
    const firing = told.filter(({ status }) => status === "firing").slice(0, linesAlertsMax);
    if (firing.length === 0 || linesMax === 0) return told;
    const find = recordsFinder(this.#rule);
    const { tenant } = this.#book;
    const lines = new Map<Told, readonly AlertRecord[]>();
    await Promise.all(
      firing.map(async (each) => {
        const { query, fromMs, toMs } = find(each.instance, each.atMs);
        try {
          const range = { fromMs, toMs };
          lines.set(each, await evaluator.lines(tenant, query, range, linesMax, signal));
        } catch (thrown) {
          const rule = this.#rule.name;
          logger.debug({ tenant, rule, reason: messageOf(thrown) }, "notification has no lines");
        }
      }),
    );
    return told.map((each) => ({ ...each, lines: lines.get(each) ?? [] }));
  }

  /** Whether another state would come of the journal's than of this one. */
  #isWorthWriting({ instances }: RuleState): boolean {
    const written = new Map(this.#book.written?.instances.map((each) => [each.key, each]));
    const { keepForMs } = timingOf(this.#rule);
    const heldWriteMs = Math.max(keepForMs / 4, heldWriteMsMin);
    return (
      written.size !== instances.length ||
      instances.some((instance) => {
        const before = written.get(instance.key);
        if (before === undefined || before.phase !== instance.phase) return true;
        if (before.firingMs !== instance.firingMs || before.activeMs !== instance.activeMs)
          return true;
        return keepForMs > 0 && instance.lastTrueMs - before.lastTrueMs >= heldWriteMs;
      })
    );
  }
}
