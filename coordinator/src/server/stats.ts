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
