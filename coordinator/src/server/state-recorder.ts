import type { ByState, EnsembleState, StateHistory } from "./availability.ts";
import { unlookedMsMax } from "./limits.ts";

/** Counts in which state an ensemble is, how long, and what follows what. Times are monotonic milliseconds. */
export class StateRecorder {
  readonly #inMs: { -readonly [State in EnsembleState]: number };
  readonly #counts: Record<EnsembleState, { -readonly [State in EnsembleState]: number }>;
  #state: EnsembleState;
  #sinceMs: number;
  #lookedMs: number;
  #pausedMs = 0;

  /** Goes on from a history of earlier runs; from the last of those to this one no transition is counted. */
  constructor(state: EnsembleState, nowMs: number, before: StateHistory = historyNone) {
    this.#state = state;
    this.#sinceMs = nowMs;
    this.#lookedMs = nowMs;
    this.#inMs = { ...before.inMs };
    const { led, electing, recovering } = before.counts;
    this.#counts = {
      led: { ...led },
      electing: { ...electing },
      recovering: { ...recovering },
    };
  }

  get state(): EnsembleState {
    return this.#state;
  }

  /** Since when it is in this state; of this run. */
  get sinceMs(): number {
    return this.#sinceMs;
  }

  /** Time of this run in which nobody looked: the process was stopped, or its machine asleep. */
  get pausedMs(): number {
    return this.#pausedMs;
  }

  get history(): StateHistory {
    const { led, electing, recovering } = this.#counts;
    return {
      inMs: { ...this.#inMs },
      counts: { led: { ...led }, electing: { ...electing }, recovering: { ...recovering } },
    };
  }

  /** The state from now on. Returns whether it is another one. */
  see(state: EnsembleState, nowMs: number): boolean {
    this.look(nowMs);
    if (state === this.#state) return false;
    this.#counts[this.#state][state]++;
    this.#state = state;
    this.#sinceMs = nowMs;
    return true;
  }

  /** To be called every second or so: a longer time is one that nobody can say anything of. */
  look(nowMs: number): void {
    const elapsedMs = Math.max(0, nowMs - this.#lookedMs);
    this.#lookedMs = nowMs;
    if (elapsedMs > unlookedMsMax) this.#pausedMs += elapsedMs;
    else this.#inMs[this.#state] += elapsedMs;
  }
}

const nothing: ByState = { led: 0, electing: 0, recovering: 0 };

/** Nothing was observed. */
export const historyNone: StateHistory = {
  inMs: nothing,
  counts: { led: nothing, electing: nothing, recovering: nothing },
};
