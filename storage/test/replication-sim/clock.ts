import type { Timeline } from "./timeline.ts";

/**
 * A process's monotonic clock: it runs a little fast or slow, and never jumps. Safety may rest on rates that differ by less than
 * a fifth, and on nothing else. The time of day, which jumps, is not asked for by the core.
 */
export class Clock {
  readonly #timeline: Timeline;
  readonly #rate: number;
  readonly #since: number;
  readonly #begin: number;

  constructor(timeline: Timeline) {
    this.#timeline = timeline;
    this.#since = timeline.now;
    this.#rate = timeline.prng.pick([1, 1, 0.92, 0.97, 1.05, 1.08]);
    // Clocks of two processes begin anywhere: nothing may be compared across them.
    this.#begin = 1 + timeline.prng.below(1e6);
  }

  get monotonicMs(): number {
    return this.#begin + (this.#timeline.now - this.#since) * this.#rate;
  }

  /** How long it really is until this one has run so far. */
  realMs(ms: number): number {
    return Math.max(0, ms / this.#rate) + 0.001;
  }
}
