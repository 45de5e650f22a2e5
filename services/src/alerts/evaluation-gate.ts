import type { Clock } from "../../../kit/src/clock.ts";
import { ServiceError } from "../../../kit/src/errors.ts";
import { QueryGate } from "../http/query-gate.ts";
import { evaluationSlowMs, evaluationsWaitingMax, slowRulesMax } from "./limits.ts";

/**
 * Lets a few evaluations run at once; others wait in line. Those that took long the last time, as they do whose query
 * always meets its deadline, run one at a time and beside the line, so that the quick ones never wait for them.
 */
export class EvaluationGate {
  readonly #quick: QueryGate;
  readonly #slow = new Set<string>();
  readonly #clock: Clock;
  #isSlowRunning = false;

  constructor(runningMax: number, clock: Clock) {
    this.#quick = new QueryGate(runningMax, evaluationsWaitingMax);
    this.#clock = clock;
  }

  /**
   * Runs the evaluation of what `key` names. Throws `query.busy` when the line is full, and for a slow one while
   * another slow one runs; `query.cancelled` when the signal aborts while it waits.
   */
  async run<T>(key: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const timed = () => this.#timed(key, work);
    if (!this.#slow.has(key)) return this.#quick.run(signal, timed);
    if (this.#isSlowRunning) {
      throw new ServiceError("query.busy", "another rule whose query takes long is evaluated now");
    }
    this.#isSlowRunning = true;
    try {
      return await timed();
    } finally {
      this.#isSlowRunning = false;
    }
  }

  async #timed<T>(key: string, work: () => Promise<T>): Promise<T> {
    const startMs = this.#clock.monotonicMs();
    try {
      return await work();
    } finally {
      if (this.#clock.monotonicMs() - startMs < evaluationSlowMs) this.#slow.delete(key);
      else {
        // Rules that are gone are not told apart; those that are there are soon found slow again.
        if (this.#slow.size >= slowRulesMax) this.#slow.clear();
        this.#slow.add(key);
      }
    }
  }
}
