import type { Clock } from "../../kit/src/clock.ts";
import { crashPoint } from "../../kit/src/crash-point.ts";
import { pause } from "../../kit/src/pause.ts";
import { backoffMs } from "./backoff.ts";
import type { RuleState } from "./entry.ts";
import { catchUpMs, matchWriteMs, progressWriteMs } from "./limits.ts";
import type { MatchBatch, MatchSource } from "./ports.ts";
import type { Rule } from "./rule.ts";
import type { RuleBook } from "./rule-book.ts";
import { timingOf } from "./rule-facts.ts";
import type { RuleHealth } from "./rule-health.ts";
import { type StepInput, step } from "./step.ts";
import type { Tally } from "./tally.ts";

export interface MatchWatchDeps {
  readonly matches: MatchSource;
  readonly clock: Clock;
  readonly tally: Tally;
  readonly linesMax: number;
}

/** A match has no groups. */
const identity = { key: "{}", labels: {} };

/** How long to wait until an alert that is due is looked at again, while it is not known whether it had matches. */
const lookAgainMs = 500;

/** Follows the records of a match rule, as one version of it has it, and resolves its alert when none come. */
export class MatchWatch {
  readonly #rule: Rule;
  readonly #book: RuleBook;
  readonly #health: RuleHealth;
  readonly #deps: MatchWatchDeps;
  readonly #keepForMs: number;
  readonly #stopped = new AbortController();
  readonly #following: Promise<void>;
  /** By the monotonic clock: since when the source follows without a failure. */
  #sinceMs: number | undefined;
  #hadBatch = false;
  #firedMs = 0;
  #timer: NodeJS.Timeout | undefined;

  /** Begins at once, in turn after what the book has to do. */
  constructor(rule: Rule, book: RuleBook, health: RuleHealth, deps: MatchWatchDeps) {
    this.#rule = rule;
    this.#book = book;
    this.#health = health;
    this.#deps = deps;
    this.#keepForMs = timingOf(rule).keepForMs;
    this.#following = this.#follow();
    this.#arm();
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    clearTimeout(this.#timer);
    await this.#following;
  }

  async #follow(): Promise<void> {
    const { matches, clock, linesMax } = this.#deps;
    const { signal } = this.#stopped;
    const { tenant } = this.#book;
    let failures = 0;
    while (!signal.aborted) {
      const startMs = clock.monotonicMs();
      try {
        // What could not be written is written before the progress is read.
        await this.#book.inTurn(() => Promise.resolve());
        const after = this.#book.state.progress;
        this.#sinceMs = startMs;
        await matches.follow(
          { tenant, query: this.#rule.query, after, linesMax, signal },
          (batch) => this.#take(batch),
        );
        if (!signal.aborted) throw new Error("the source has ended");
      } catch (thrown) {
        if (signal.aborted) return;
        this.#sinceMs = undefined;
        this.#hadBatch = false;
        this.#health.failed(thrown);
        if (clock.monotonicMs() - startMs > catchUpMs) failures = 0;
        await pause(backoffMs(++failures), signal, { ref: false });
      }
    }
  }

  #take(batch: MatchBatch): Promise<void> {
    return this.#book.inTurn(async () => {
      // Another version of the rule has begun, from this one's progress or anew.
      this.#stopped.signal.throwIfAborted();
      const { clock, tally } = this.#deps;
      if (batch.count > 0) crashPoint("alerts.matched");
      const atMs = clock.now();
      await this.#step({ kind: "match", atMs, count: batch.count }, batch);
      tally.matched += batch.count;
      this.#hadBatch = true;
      this.#health.evaluated(atMs);
      this.#arm();
    });
  }

  async #step(
    input: Exclude<StepInput, { readonly kind: "tick" }>,
    batch?: MatchBatch,
  ): Promise<void> {
    const { state } = this.#book;
    const [before] = state.instances;
    const { state: instance, transition } = step(
      before,
      identity,
      this.#timing,
      this.#unique(input),
    );
    const next: RuleState = {
      ...state,
      instances: instance === undefined ? [] : [instance],
      progress: batch?.progress ?? state.progress,
    };
    const told =
      transition === undefined
        ? []
        : [{ ...transition, atMs: input.atMs, lines: this.#linesOf(transition.status, batch) }];
    if (told.length > 0 || this.#isDue(next, input)) await this.#book.write(next, told);
    else this.#book.remember(next);
    if (transition?.status === "firing") this.#firedMs = transition.instance.firingMs ?? 0;
  }

  get #timing() {
    return { forMs: 0, keepForMs: this.#keepForMs };
  }

  /** No two alerts begin in the same millisecond: their dedupe keys would be one. */
  #unique<T extends StepInput>(input: T): T {
    const isNew = input.kind === "match" && this.#book.state.instances.length === 0;
    return isNew ? { ...input, atMs: Math.max(input.atMs, this.#firedMs + 1) } : input;
  }

  #linesOf(status: "firing" | "resolved", batch: MatchBatch | undefined) {
    return status === "firing" ? (batch?.lines ?? []) : [];
  }

  /** Whether what changed nothing that receivers know is to be written all the same. */
  #isDue(next: RuleState, { atMs }: { readonly atMs: number }): boolean {
    const { written, writtenMs } = this.#book;
    if (written === undefined || writtenMs === undefined) return true;
    if (written.progress === next.progress) return false;
    if (written.progress === undefined) return true;
    const hasMatched = written.instances[0]?.count !== next.instances[0]?.count;
    const ageMs = Math.abs(atMs - writtenMs);
    return ageMs >= (hasMatched ? matchWriteMs : progressWriteMs);
  }

  /** Sets the timer at which the alert resolves. */
  #arm(): void {
    clearTimeout(this.#timer);
    const [instance] = this.#book.state.instances;
    if (instance === undefined || this.#stopped.signal.aborted) return;
    const dueMs = instance.lastTrueMs + this.#keepForMs - this.#deps.clock.now();
    const waitMs = Math.min(Math.max(dueMs, 0), this.#keepForMs);
    this.#timer = setTimeout(
      () => void this.#lapse(),
      this.#isFollowing ? waitMs : Math.max(waitMs, lookAgainMs),
    ).unref();
  }

  /** Whether matches that there were would have been told: behind a restart it takes a moment. */
  get #isFollowing(): boolean {
    if (this.#sinceMs === undefined) return false;
    return this.#hadBatch || this.#deps.clock.monotonicMs() - this.#sinceMs >= catchUpMs;
  }

  async #lapse(): Promise<void> {
    const { signal } = this.#stopped;
    try {
      await this.#book.inTurn(async () => {
        const isKnown = this.#isFollowing && !signal.aborted;
        if (isKnown) await this.#step({ kind: "time", atMs: this.#deps.clock.now() });
      });
    } catch (thrown) {
      if (!signal.aborted) this.#health.failed(thrown);
      await pause(lookAgainMs, signal, { ref: false });
    }
    this.#arm();
  }
}
