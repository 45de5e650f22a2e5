import type { Block, Column, Templates } from "../../../kit/src/block.ts";
import { costs, type Filter } from "./filter.ts";
import { narrowToValues } from "./narrow-to-values.ts";
import { RowSet } from "./row-set.ts";

/** `field:*`: the row has the field. An absent field and an empty value are the same. */
export class ExistsFilter implements Filter {
  readonly cost = costs.code;
  readonly #field: string;
  readonly #text: string;

  constructor(field: string, text: string) {
    this.#field = field;
    this.#text = text;
  }

  mayMatch(): boolean {
    return true;
  }

  narrow(block: Block, rows: RowSet): void {
    const column = block.column(this.#field);
    if (column === undefined) {
      rows.clear();
      return;
    }
    if (column.templates !== undefined) {
      keepWritten(column, column.templates, rows);
      return;
    }
    const { offsets } = column.values();
    narrowToValues(column, rows, (wanted) => {
      const found = RowSet.empty(wanted.rowCount);
      for (let i = 0; i < wanted.rowCount; i++) if (offsets[i] !== offsets[i + 1]) found.add(i);
      return found;
    });
  }

  toString(): string {
    return this.#text;
  }
}

/** A literal that is not empty tells it of all rows of a template. */
function keepWritten(column: Column, { codes, templates }: Templates, rows: RowSet): void {
  const isWritten = templates.map(({ literals }) => literals.some(({ length }) => length > 0));
  if (isWritten.every(Boolean)) return;
  const asked = rows.rows().filter((row) => isWritten[codes[row] as number] !== true);
  const { offsets } = column.pick(asked);
  for (let i = 0; i < asked.length; i++) {
    if (offsets[i] === offsets[i + 1]) rows.remove(asked[i] as number);
  }
}
