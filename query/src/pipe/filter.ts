import type { Filter } from "../filter/filter.ts";
import { RowSet } from "../filter/row-set.ts";
import type { RowPipe, Rows } from "./pipe.ts";

/** `filter level:error`, and the condition of `if (…)`. */
export class FilterPipe implements RowPipe {
  readonly #filter: Filter;

  constructor(filter: Filter) {
    this.#filter = filter;
  }

  apply({ view, rows }: Rows): Rows {
    const left = new RowSet(view.rowCount);
    this.#filter.narrow(view, left);
    return { view, rows: rows.length === view.rowCount ? left.rows() : left.among(rows) };
  }
}
