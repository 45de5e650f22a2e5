import { codeAt } from "../table/column.ts";
import { GrowingF64 } from "../table/growing.ts";
import { printNumber } from "../table/number.ts";
import type { View } from "../table/view.ts";
import type { GroupedRows, StatsPartial, StatsState } from "./function.ts";

/** `sum_len(a, b)`: bytes of the values; of all fields when none is named. */
export class SumLengthState implements StatsState {
  readonly #fields: readonly string[];
  readonly #sums = new GrowingF64();

  constructor(fields: readonly string[]) {
    this.#fields = fields;
  }

  get byteSize(): number {
    return this.#sums.byteSize;
  }

  add(view: View, { rows, groups, groupCount }: GroupedRows): void {
    const sums = this.#sums.upTo(groupCount);
    for (const field of this.#fields.length > 0 ? this.#fields : view.names) {
      const column = view.column(field);
      if (column === undefined) continue;
      const { offsets } = column.values();
      for (let i = 0; i < rows.length; i++) {
        const code = codeAt(column, rows[i] as number);
        const group = groups === undefined ? 0 : (groups[i] as number);
        const length = (offsets[code + 1] as number) - (offsets[code] as number);
        sums[group] = (sums[group] as number) + length;
      }
    }
  }

  export(): StatsPartial {
    return { function: "sum-length", data: { sums: this.#sums.export() } };
  }

  merge(partial: StatsPartial, groupOf: Uint32Array): void {
    const theirs = partial.data["sums"] as Float64Array;
    for (let i = 0; i < theirs.length; i++) {
      const group = groupOf[i] as number;
      const sums = this.#sums.upTo(group + 1);
      sums[group] = (sums[group] as number) + (theirs[i] as number);
    }
  }

  finish(group: number): string {
    return printNumber(this.#sums.at(group));
  }
}
