import type { Block } from "../../../kit/src/block.ts";
import { costs, type Filter } from "./filter.ts";
import { RowSet } from "./row-set.ts";
import { narrowToValues } from "./value-filter.ts";

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
