import { turnMsMax } from "../limits.ts";

/** Keeps work on the main thread from holding its event loop for long: asked between steps, it lets others go first. */
export class Turn {
  #beganMs = performance.now();

  /** Resolves at once while the turn is short, else in the next one. */
  async pause(): Promise<void> {
    if (performance.now() - this.#beganMs < turnMsMax) return;
    await new Promise((resolve) => setImmediate(resolve));
    this.#beganMs = performance.now();
  }
}
