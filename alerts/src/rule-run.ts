import type { Alert, RuleListed } from "../../api/src/alerts.ts";
import { unreachable } from "../../kit/src/assert.ts";
import { pause } from "../../kit/src/pause.ts";
import { backoffMs } from "./backoff.ts";
import type { InstanceState } from "./entry.ts";
import type { FoldedRule } from "./fold.ts";
import { receiversKept, rewriteMs } from "./limits.ts";
import { recordsFinder, type Told, timeText } from "./make-notification.ts";
import { MatchWatch, type MatchWatchDeps } from "./match-watch.ts";
import type { StoredRule } from "./ports.ts";
import type { Receiver } from "./rule.ts";
import { type BookDeps, RuleBook } from "./rule-book.ts";
import { stateOf } from "./rule-facts.ts";
import { RuleHealth } from "./rule-health.ts";
import { ThresholdWatch, type ThresholdWatchDeps } from "./threshold-watch.ts";

export type RunDeps = BookDeps & ThresholdWatchDeps & MatchWatchDeps;

/** A rule as it runs: its state, the watch of its present version, and how both end. */
export class RuleRun {
  readonly #deps: RunDeps;
  readonly #book: RuleBook;
  readonly #health: RuleHealth;
  readonly #closing = new AbortController();
  /** By URL, the one told last at the end. */
  readonly #receivers = new Map<string, Receiver>();
  #stored: StoredRule;
  #watch: ThresholdWatch | MatchWatch | undefined;
  #adopted: Promise<void> = Promise.resolve();
  #isGone = false;

  constructor(stored: StoredRule, folded: FoldedRule | undefined, deps: RunDeps) {
    const { tenant, id: ruleId, rule } = stored;
    this.#deps = deps;
    this.#stored = stored;
    this.#health = new RuleHealth(deps.logger, { tenant, rule: rule.name });
    const state = folded?.state ?? stateOf(stored.rule);
    this.#book = new RuleBook({ tenant, ruleId, state, writtenMs: folded?.atMs }, deps);
    this.#keepReceivers();
  }

  get stored(): StoredRule {
    return this.#stored;
  }

  get instances(): readonly InstanceState[] {
    return this.#book.state.instances;
  }

  /** Begins to watch; what the journal has of another version of the rule is resolved first. */
  start(): void {
    this.#adopted = this.#untilDone(() => this.#adopt());
  }

  /** Goes on with another version of the rule. */
  update(stored: StoredRule): void {
    this.#stored = stored;
    this.#keepReceivers();
    const before = this.#adopted;
    this.#adopted = this.#stopWatch()
      .then(() => before)
      .then(() => this.#untilDone(() => this.#adopt()));
  }

  /** As the scheduler's handler. */
  async tick(atMs: number, signal: AbortSignal): Promise<void> {
    await this.#adopted;
    if (this.#watch instanceof ThresholdWatch) await this.#watch.tick(atMs, signal);
  }

  /** Ends the rule: what fires is resolved. Resolves when that is written, or when it is closed before. */
  async remove(): Promise<void> {
    await this.#stopWatch();
    await this.#adopted;
    await this.#stopWatch();
    await this.#untilDone(() => this.#book.inTurn(() => this.#book.writeGone(this.#resolved())));
    this.#isGone = !this.#closing.signal.aborted;
  }

  /** Whether its end is written. */
  get isGone(): boolean {
    return this.#isGone;
  }

  /** Writes the state again when it was written long ago, or when a delivery was. Rejects when the journal does. */
  async rewrite(hasOldItems: boolean): Promise<void> {
    const { state, writtenMs } = this.#book;
    if (writtenMs === undefined) return;
    const isOld = this.#deps.clock.now() - writtenMs >= rewriteMs;
    // Without a state there is nothing to lose.
    const hasState = state.instances.length > 0 || state.progress !== undefined;
    if (hasOldItems || (isOld && hasState)) await this.#book.inTurn(() => this.#book.rewrite());
  }

  /** The receiver of this URL, as the rule has it or last had it. */
  receiverOf(url: string): Receiver | undefined {
    return this.#receivers.get(url);
  }

  listed(): RuleListed {
    const { id, version, createdMs, updatedMs, rule } = this.#stored;
    const { evaluatedMs, error } = this.#health;
    const phases = new Set(this.instances.map(({ phase }) => phase));
    return {
      id,
      version,
      createdAt: timeText(createdMs),
      updatedAt: timeText(updatedMs),
      state: phases.has("firing") ? "firing" : phases.has("pending") ? "pending" : "inactive",
      ...(evaluatedMs === undefined ? {} : { evaluatedAt: timeText(evaluatedMs) }),
      ...(error === undefined ? {} : { error }),
      rule,
    };
  }

  alerts(): readonly Alert[] {
    if (this.instances.length === 0) return [];
    const { clock, linkOf } = this.#deps;
    const { tenant, state } = this.#book;
    const { name, labels } = state.definition;
    const find = recordsFinder(state.definition);
    return state.instances.map((instance) => {
      const { query, fromMs, toMs } = find(instance, clock.now());
      return {
        rule: name,
        status: instance.phase,
        labels: { ...labels, ...instance.labels },
        count: instance.count,
        activeAt: timeText(instance.activeMs),
        ...(instance.firingMs === undefined ? {} : { startsAt: timeText(instance.firingMs) }),
        link: linkOf(tenant, query, fromMs, toMs),
      };
    });
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#stopWatch();
    await this.#adopted;
    // A watch may have begun meanwhile.
    await this.#stopWatch();
    await this.#book.idle();
  }

  async #adopt(): Promise<void> {
    const stored = this.#stored;
    await this.#book.inTurn(async () => {
      const { state, written } = this.#book;
      const next = stateOf(stored.rule);
      if (state.fingerprint !== next.fingerprint) {
        const told = this.#resolved();
        const { definition } = state;
        if (written !== undefined) await this.#book.write(next, told, { definition });
        else this.#book.remember(next);
      } else if (JSON.stringify(state.definition) !== JSON.stringify(next.definition)) {
        const changed = { ...state, definition: next.definition };
        // What fires is resolved by what is written, should the rule be deleted while nobody looks.
        if (written !== undefined && state.instances.length > 0) await this.#book.write(changed);
        else this.#book.remember(changed);
      }
    });
    if (this.#closing.signal.aborted || stored !== this.#stored) return;
    try {
      this.#watch = this.#watchOf(stored);
    } catch (thrown) {
      // The query was written by hand, or by another version of the language.
      this.#health.failed(thrown);
    }
  }

  #watchOf({ rule }: StoredRule): ThresholdWatch | MatchWatch {
    switch (rule.type) {
      case "threshold":
        return new ThresholdWatch(rule, this.#book, this.#health, this.#deps);
      case "match":
        return new MatchWatch(rule, this.#book, this.#health, this.#deps);
      default:
        return unreachable(rule.type);
    }
  }

  async #stopWatch(): Promise<void> {
    const watch = this.#watch;
    this.#watch = undefined;
    await watch?.stop();
  }

  #resolved(): readonly Told[] {
    const atMs = this.#deps.clock.now();
    return this.instances
      .filter(({ phase }) => phase === "firing")
      .map((instance) => ({ status: "resolved", instance, atMs, lines: [] }));
  }

  #keepReceivers(): void {
    for (const receiver of this.#stored.rule.notify) {
      const { url } = receiver.webhook;
      this.#receivers.delete(url);
      this.#receivers.set(url, receiver);
    }
    for (const url of this.#receivers.keys()) {
      if (this.#receivers.size <= receiversKept) break;
      this.#receivers.delete(url);
    }
  }

  /** Tries until it goes well or the run is closed. */
  async #untilDone(work: () => Promise<void>): Promise<void> {
    const { signal } = this.#closing;
    for (let failures = 1; !signal.aborted; failures++) {
      try {
        await work();
        return;
      } catch (thrown) {
        this.#health.failed(thrown);
        await pause(backoffMs(failures), signal, { ref: false });
      }
    }
  }
}
