import { numberOfText, printNumber } from "../table/number.ts";
import type { View } from "../table/view.ts";
import type { GroupedRows, StatsPartial, StatsState } from "./function.ts";

/** `rate()` and `rate_sum(a)`: a count or a sum by second; as it is where the time that was looked at has no length. */
export class RateState implements StatsState {
  readonly #inner: StatsState;
  readonly #seconds: number | undefined;

  constructor(inner: StatsState, seconds: number | undefined) {
    this.#inner = inner;
    this.#seconds = seconds;
  }

  get byteSize(): number {
    return this.#inner.byteSize;
  }

  add(view: View, rows: GroupedRows): void {
    this.#inner.add(view, rows);
  }

  export(): StatsPartial {
    return this.#inner.export();
  }

  merge(partial: StatsPartial, groupOf: Uint32Array): void {
    this.#inner.merge(partial, groupOf);
  }

  finish(group: number): string {
    const total = this.#inner.finish(group);
    if (this.#seconds === undefined) return total;
    return printNumber(numberOfText(total) / this.#seconds);
  }
}
