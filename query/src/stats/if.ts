import type { RowPipe } from "../pipe/pipe.ts";
import type { View } from "../table/view.ts";
import type { GroupedRows, StatsPartial, StatsState } from "./function.ts";

/** `count() if (level:error)`: the function over the rows that the condition leaves. */
export class IfState implements StatsState {
  readonly #inner: StatsState;
  readonly #condition: RowPipe;

  constructor(inner: StatsState, condition: RowPipe) {
    this.#inner = inner;
    this.#condition = condition;
  }

  get byteSize(): number {
    return this.#inner.byteSize;
  }

  add(view: View, { rows, groups, groupCount }: GroupedRows): void {
    const left = this.#condition.apply({ view, rows }).rows;
    if (groups === undefined) {
      this.#inner.add(view, { rows: left, groups, groupCount });
      return;
    }
    // What is left keeps the order of the rows, so one walk over both finds the groups.
    const groupsLeft = new Uint32Array(left.length);
    for (let i = 0, at = 0; at < left.length; i++) {
      if (rows[i] === left[at]) groupsLeft[at++] = groups[i] as number;
    }
    this.#inner.add(view, { rows: left, groups: groupsLeft, groupCount });
  }

  get countsRows(): boolean {
    return this.#inner.countsRows === true;
  }

  countedRows(view: View, rows: Uint32Array): Uint32Array {
    return this.#condition.apply({ view, rows }).rows;
  }

  addCounted(hits: Float64Array, of: Omit<GroupedRows, "rows">): void {
    this.#inner.addCounted?.(hits, of);
  }

  export(): StatsPartial {
    return this.#inner.export();
  }

  merge(partial: StatsPartial, groupOf: Uint32Array): void {
    this.#inner.merge(partial, groupOf);
  }

  finish(group: number): string {
    return this.#inner.finish(group);
  }
}
