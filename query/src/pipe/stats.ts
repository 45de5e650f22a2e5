import { assert } from "../../../kit/src/assert.ts";
import type { Column } from "../../../kit/src/block.ts";
import type { StatsPipe as StatsNode } from "../language/ast.ts";
import { CountState } from "../stats/count.ts";
import type { StatsPartial, StatsState } from "../stats/function.ts";
import { ValuesColumn, valuesOf } from "../table/column.ts";
import { checkGroupKey } from "../table/group-key.ts";
import { Grouper, type GrouperData } from "../table/grouper.ts";
import { TableBlock } from "../table/table-block.ts";
import { View } from "../table/view.ts";
import { allRows, type GatherPipe, type Rows } from "./pipe.ts";

interface StatsPipePartial {
  readonly groups: GrouperData;
  readonly states: readonly StatsPartial[];
}

/** `stats by (a, _time:5m) count() n`: a row a group, in order of first appearance. */
export class StatsPipe implements GatherPipe {
  readonly #node: StatsNode;
  readonly #grouper: Grouper;
  readonly #states: readonly StatsState[];
  readonly #onlyCounts: boolean;

  /** A state for each of the node's functions. Throws `query.invalid` for a bucket that cannot be. */
  constructor(node: StatsNode, states: readonly StatsState[]) {
    for (const key of node.by) checkGroupKey(key);
    this.#node = node;
    this.#grouper = new Grouper(node.by);
    this.#states = states;
    this.#onlyCounts = states.every(({ countsRows }) => countsRows === true);
  }

  get byteSize(): number {
    return this.#states.reduce((sum, state) => sum + state.byteSize, this.#grouper.byteSize);
  }

  add({ view, rows }: Rows): void {
    if (rows.length === 0) return;
    if (this.#onlyCounts) {
      this.#tally(view, rows);
      return;
    }
    const groups = this.#grouper.groupsOf(view, rows);
    const grouped = { rows, groups, groupCount: this.#grouper.size };
    for (const state of this.#states) state.add(view, grouped);
  }

  /** No row needs a group of its own where all functions only count. */
  #tally(view: View, rows: Uint32Array): void {
    // A group is there also when a condition leaves none of its rows.
    const all = this.#grouper.tally(view, rows);
    for (const state of this.#states) {
      const counted = state.countedRows?.(view, rows) ?? rows;
      const { hits, groups } = counted === rows ? all : this.#grouper.tally(view, counted);
      state.addCounted?.(hits, { groups, groupCount: this.#grouper.size });
    }
  }

  addCounted({ view, rows }: Rows, counts: Float64Array): void {
    const groups = this.#grouper.groupsOf(view, rows);
    const grouped = { rows, groups, groupCount: this.#grouper.size };
    for (const state of this.#states) {
      assert(state instanceof CountState, "only counts can be added up");
      state.addCounted(counts, grouped);
    }
  }

  export(): StatsPipePartial {
    return {
      groups: this.#grouper.export(),
      states: this.#states.map((state) => state.export()),
    };
  }

  merge(partial: unknown): void {
    const { groups, states } = partial as StatsPipePartial;
    const groupOf = this.#grouper.merge(groups);
    for (const [i, state] of this.#states.entries()) {
      state.merge(states[i] as StatsPartial, groupOf);
    }
  }

  finish(): Rows {
    const columns = new Map<string, Column>();
    const count = this.#grouper.size;
    for (const [k, key] of this.#node.by.entries()) {
      columns.set(
        key.field,
        columnOf(count, (group) => this.#grouper.text(group, k)),
      );
    }
    for (const [i, { as }] of this.#node.functions.entries()) {
      const state = this.#states[i] as StatsState;
      columns.set(
        as,
        columnOf(count, (group) => state.finish(group)),
      );
    }
    const view = View.table(new TableBlock({ rowCount: count, columns }));
    return { view, rows: allRows(count) };
  }
}

function columnOf(count: number, textOf: (row: number) => string): Column {
  return new ValuesColumn("rows", valuesOf(Array.from({ length: count }, (_, i) => textOf(i))));
}
