import { QuantileSummary } from "./value-summary.ts";

/** Counts and latencies of one connection, or of all. Milliseconds. */
export class LatencyStats {
  received = 0;
  sent = 0;
  latencyMin = 0;
  latencyMax = 0;
  latencyLast = 0;
  #sum = 0;
  #count = 0;

  get latencyAverage(): number {
    return this.#count === 0 ? 0 : this.#sum / this.#count;
  }

  /** Begins anew, as if nothing had come. */
  reset(): void {
    this.received = 0;
    this.sent = 0;
    this.latencyMin = 0;
    this.latencyMax = 0;
    this.latencyLast = 0;
    this.#sum = 0;
    this.#count = 0;
  }

  /** A request was answered after this many milliseconds. */
  answered(ms: number): void {
    const whole = Math.max(0, Math.round(ms));
    this.sent++;
    this.latencyMin = this.#count === 0 ? whole : Math.min(this.latencyMin, whole);
    this.latencyMax = Math.max(this.latencyMax, whole);
    this.latencyLast = whole;
    this.#sum += whole;
    this.#count++;
  }
}

/** Those of all connections, and of reads and writes apart since the process began. */
export class ServerStats extends LatencyStats {
  readonly reads = new QuantileSummary();
  readonly updates = new QuantileSummary();

  /** `nowMs` is monotonic. */
  requestAnswered(kind: "read" | "update", ms: number, nowMs: number): void {
    this.answered(ms);
    if (kind === "read") this.reads.add(ms, nowMs);
    else this.updates.add(ms, nowMs);
  }
}
