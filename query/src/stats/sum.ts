import { numbersOf } from "../table/column.ts";
import { GrowingF64 } from "../table/growing.ts";
import { printNumber } from "../table/number.ts";
import { withUnits } from "../table/unit-number.ts";
import type { View } from "../table/view.ts";
import type { GroupedRows, StatsPartial, StatsState } from "./function.ts";

/**
 * `sum(a, b)` and `avg(a, b)`: over the values that are numbers, in double precision; `NaN` where
 * there is none.
 */
export class SumState implements StatsState {
  readonly #fields: readonly string[];
  readonly #isAverage: boolean;
  readonly #sums = new GrowingF64();
  readonly #counts = new GrowingF64();

  constructor(fields: readonly string[], isAverage: boolean) {
    this.#fields = fields;
    this.#isAverage = isAverage;
  }

  get byteSize(): number {
    return this.#sums.byteSize + this.#counts.byteSize;
  }

  add(view: View, { rows, groups, groupCount }: GroupedRows): void {
    const sums = this.#sums.upTo(groupCount);
    const counts = this.#counts.upTo(groupCount);
    for (const field of this.#fields) {
      const column = view.column(field);
      if (column === undefined) continue;
      const numbers = withUnits(column, rows, numbersOf(column, rows, view.rowCount));
      addNumbers(sums, counts, numbers, groups);
    }
  }

  export(): StatsPartial {
    return { function: "sum", data: { sums: this.#sums.export(), counts: this.#counts.export() } };
  }

  merge(partial: StatsPartial, groupOf: Uint32Array): void {
    const sums = partial.data["sums"] as Float64Array;
    const counts = partial.data["counts"] as Float64Array;
    for (let i = 0; i < sums.length; i++) {
      const group = groupOf[i] as number;
      const ownSums = this.#sums.upTo(group + 1);
      const ownCounts = this.#counts.upTo(group + 1);
      ownSums[group] = (ownSums[group] as number) + (sums[i] as number);
      ownCounts[group] = (ownCounts[group] as number) + (counts[i] as number);
    }
  }

  finish(group: number): string {
    const count = this.#counts.at(group);
    if (count === 0) return "NaN";
    return printNumber(this.#sums.at(group) / (this.#isAverage ? count : 1));
  }
}

function addNumbers(
  sums: Float64Array,
  counts: Float64Array,
  numbers: Float64Array,
  groups: Uint32Array | undefined,
): void {
  for (let i = 0; i < numbers.length; i++) {
    const value = numbers[i] as number;
    if (Number.isNaN(value)) continue;
    const group = groups === undefined ? 0 : (groups[i] as number);
    sums[group] = (sums[group] as number) + value;
    counts[group] = (counts[group] as number) + 1;
  }
}
