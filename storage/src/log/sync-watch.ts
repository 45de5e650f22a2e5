/** How many of the latest long syncs are remembered: what is asked about them is a minute, and each of them is long. */
const rememberedMax = 64;

/** Syncs shorter than this are not remembered: no bound that is asked about is below it. */
const rememberedMsMin = 50;

/** How long the syncs of a log take, as far as they take long. Times are monotonic milliseconds. */
export class SyncWatch {
  readonly #nowMs: () => number;
  readonly #long: { readonly endedMs: number; readonly tookMs: number }[] = [];
  #beganMs: number | undefined;

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** One at a time. */
  async timed(sync: Promise<void>): Promise<void> {
    this.#beganMs = this.#nowMs();
    try {
      await sync;
    } finally {
      const endedMs = this.#nowMs();
      const tookMs = endedMs - this.#beganMs;
      this.#beganMs = undefined;
      if (tookMs >= rememberedMsMin) this.#long.push({ endedMs, tookMs });
      if (this.#long.length > rememberedMax) this.#long.shift();
    }
  }

  /** What syncs that took longer than `boundMs` took together, of those that ended within `withinMs`, and of one under way. */
  slowMs({ boundMs, withinMs }: { readonly boundMs: number; readonly withinMs: number }): number {
    const nowMs = this.#nowMs();
    const underWayMs = this.#beganMs === undefined ? 0 : nowMs - this.#beganMs;
    let sum = underWayMs > boundMs ? underWayMs : 0;
    for (const { endedMs, tookMs } of this.#long) {
      if (tookMs > boundMs && endedMs > nowMs - withinMs) sum += tookMs;
    }
    return sum;
  }

  /** The process stood still: what took long by that says nothing of the disk. */
  forget(): void {
    this.#long.length = 0;
    if (this.#beganMs !== undefined) this.#beganMs = this.#nowMs();
  }
}
