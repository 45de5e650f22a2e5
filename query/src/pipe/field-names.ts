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
    const counted = new CountedRows(rows, view.rowCount);
    for (const name of view.names) this.#count(name, filledCount(view, name, counted));
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

/** Rows, and how often each row of the block is among them. */
class CountedRows {
  readonly rows: Uint32Array;
  readonly #rowCount: number;
  #times: Uint32Array | undefined;

  constructor(rows: Uint32Array, rowCount: number) {
    this.rows = rows;
    this.#rowCount = rowCount;
  }

  /** How many of the rows are among some, which are few. */
  among(some: ArrayLike<number>): number {
    this.#times ??= this.#timesOf();
    let count = 0;
    for (let i = 0; i < some.length; i++) count += this.#times[some[i]!]!;
    return count;
  }

  #timesOf(): Uint32Array {
    const times = new Uint32Array(this.#rowCount);
    for (const row of this.rows) times[row]!++;
    return times;
  }
}

/** How many of the rows have a value of the field that is not empty. */
function filledCount(view: View, name: string, counted: CountedRows): number {
  const { rows } = counted;
  if (isImplied(view, name)) return rows.length;
  const column = view.column(name);
  if (column === undefined) return 0;
  // Names may be a hundred thousand, of a row each.
  if (column.present !== undefined) return counted.among(column.present);
  const empty = emptyValues(column);
  if (!empty.includes(1)) return rows.length;
  let filled = 0;
  for (const row of rows) if (empty[codeAt(column, row)] === 0) filled++;
  return filled;
}
