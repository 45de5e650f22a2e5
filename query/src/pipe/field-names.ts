import { codeAt, emptyValues, ValuesColumn, valuesOf } from "../table/column.ts";
import { isImplied } from "../table/posted.ts";
import { TableBlock } from "../table/table-block.ts";
import { View } from "../table/view.ts";
import { allRows, type GatherPipe, type Rows } from "./pipe.ts";

/** `field_names`: the fields that rows have, with how many rows have each, most first. */
export class FieldNamesPipe implements GatherPipe {
  readonly #as: string;
  readonly #hits = new Map<string, number>();
  #nameBytes = 0;

  constructor(as: string) {
    this.#as = as;
  }

  get byteSize(): number {
    return this.#nameBytes + 64 * this.#hits.size;
  }

  add({ view, rows }: Rows): void {
    for (const name of view.names) this.#count(name, filledCount(view, name, rows));
  }

  export(): readonly (readonly [string, number])[] {
    return [...this.#hits];
  }

  merge(partial: unknown): void {
    for (const [name, hits] of partial as [string, number][]) this.#count(name, hits);
  }

  finish(): Rows {
    const found = [...this.#hits].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
    const columns = new Map([
      [this.#as, new ValuesColumn("rows", valuesOf(found.map(([name]) => name)))],
      ["hits", new ValuesColumn("rows", valuesOf(found.map(([, hits]) => String(hits))))],
    ]);
    const view = View.table(new TableBlock({ rowCount: found.length, columns }));
    return { view, rows: allRows(found.length) };
  }

  #count(name: string, hits: number): void {
    if (hits === 0) return;
    const before = this.#hits.get(name);
    if (before === undefined) this.#nameBytes += 2 * name.length;
    this.#hits.set(name, (before ?? 0) + hits);
  }
}

/** How many of the rows have a value of the field that is not empty. */
function filledCount(view: View, name: string, rows: Uint32Array): number {
  if (isImplied(view, name)) return rows.length;
  const column = view.column(name);
  if (column === undefined) return 0;
  const empty = emptyValues(column);
  if (!empty.includes(1)) return rows.length;
  let filled = 0;
  for (const row of rows) if (empty[codeAt(column, row)] === 0) filled++;
  return filled;
}
