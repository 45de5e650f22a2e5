import type { Block } from "../../../kit/src/block.ts";
import { compileFilter } from "../filter/compile.ts";
import type { Filter } from "../filter/filter.ts";
import type { RowSet } from "../filter/row-set.ts";
import { parseFilter } from "../language/parse.ts";
import type { Deletion } from "../source.ts";
import { View } from "../table/view.ts";
import { narrowToRange } from "./range.ts";

/** Compiled filters that are kept, the least recently used go first. */
const compiledMax = 1_000;

/** Which rows of a block deletes by query hide; compiles each filter once. */
export class Deletions {
  /** Insertion order is order of use. */
  readonly #compiled = new Map<string, Filter>();

  /** Removes the rows that any of them hides. The view is of records as they are stored. */
  hide(view: View, rows: RowSet, deletions: readonly Deletion[]): void {
    for (const deletion of deletions) {
      if (rows.isEmpty) return;
      const found = rows.clone();
      this.narrow(view, found, deletion);
      rows.subtract(found);
    }
  }

  /** Keeps the rows that a deletion hides, of a block as it is stored. */
  narrow(block: Block, rows: RowSet, deletion: Deletion): void {
    const filter = this.#filterOf(deletion.filter);
    const view = block instanceof View ? block : View.records(block);
    if (!filter.mayMatch(view)) {
      rows.clear();
      return;
    }
    narrowToRange(view, rows, deletion);
    if (!rows.isEmpty) filter.narrow(view, rows);
    if (rows.isEmpty) return;
    const positions = view.positions();
    for (let row = rows.next(0); row >= 0; row = rows.next(row + 1)) {
      if ((positions[row] as number) >= deletion.position) rows.remove(row);
    }
  }

  #filterOf(text: string): Filter {
    const filter = this.#compiled.get(text) ?? compileFilter(parseFilter(text));
    this.#compiled.delete(text);
    this.#compiled.set(text, filter);
    for (const oldest of this.#compiled.keys()) {
      if (this.#compiled.size <= compiledMax) break;
      this.#compiled.delete(oldest);
    }
    return filter;
  }
}
