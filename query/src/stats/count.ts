import { codeAt, emptyValues } from "../table/column.ts";
import { GrowingF64 } from "../table/growing.ts";
import type { View } from "../table/view.ts";
import type { GroupedRows, StatsPartial, StatsState } from "./function.ts";

/**
 * `count()`: rows. `count(a, b)`: rows where any of the fields is not empty. `count_empty(a, b)`:
 * rows where all of them are empty.
 */
export class CountState implements StatsState {
  readonly #fields: readonly string[];
  readonly #countsEmpty: boolean;
  readonly #counts = new GrowingF64();

  constructor(fields: readonly string[], countsEmpty: boolean) {
    this.#fields = fields;
    this.#countsEmpty = countsEmpty;
  }

  get byteSize(): number {
    return this.#counts.byteSize;
  }

  add(view: View, { rows, groups, groupCount }: GroupedRows): void {
    const counts = this.#counts.upTo(groupCount);
    if (this.#fields.length === 0) {
      addAll(counts, rows.length, groups);
      return;
    }
    const filled = filledRows(view, this.#fields);
    const wanted = this.#countsEmpty ? 0 : 1;
    for (let i = 0; i < rows.length; i++) {
      if (filled(rows[i] as number) !== wanted) continue;
      const group = groups === undefined ? 0 : (groups[i] as number);
      counts[group] = (counts[group] as number) + 1;
    }
  }

  get countsRows(): boolean {
    return this.#fields.length === 0;
  }

  countedRows(_: View, rows: Uint32Array): Uint32Array {
    return rows;
  }

  /** As `add` of all rows, where the i-th stands for `hits[i]`. */
  addCounted(hits: Float64Array, { groups, groupCount }: Omit<GroupedRows, "rows">): void {
    const counts = this.#counts.upTo(groupCount);
    for (let i = 0; i < hits.length; i++) {
      const group = groups === undefined ? 0 : (groups[i] as number);
      counts[group] = (counts[group] as number) + (hits[i] as number);
    }
  }

  export(): StatsPartial {
    return { function: "count", data: { counts: this.#counts.export() } };
  }

  merge(partial: StatsPartial, groupOf: Uint32Array): void {
    const theirs = partial.data["counts"] as Float64Array;
    for (let i = 0; i < theirs.length; i++) {
      const group = groupOf[i] as number;
      const counts = this.#counts.upTo(group + 1);
      counts[group] = (counts[group] as number) + (theirs[i] as number);
    }
  }

  /** The count itself, for pipes that sort by it. */
  value(group: number): number {
    return this.#counts.at(group);
  }

  finish(group: number): string {
    return String(this.#counts.at(group));
  }
}

function addAll(counts: Float64Array, length: number, groups: Uint32Array | undefined): void {
  if (groups === undefined) {
    counts[0] = (counts[0] as number) + length;
    return;
  }
  for (let i = 0; i < length; i++) {
    const group = groups[i] as number;
    counts[group] = (counts[group] as number) + 1;
  }
}

/** 1 for a row where any of the fields is not empty, else 0; looks at each distinct value once. */
function filledRows(view: View, fields: readonly string[]): (row: number) => number {
  const columns = fields
    .map((field) => view.column(field))
    .filter((column) => column !== undefined)
    .map((column) => ({ column, empty: emptyValues(column) }));
  return (row) => {
    for (const { column, empty } of columns) {
      if (empty[codeAt(column, row)] === 0) return 1;
    }
    return 0;
  };
}
