import { ValuesColumn, valuesOf } from "../table/column.ts";
import { TableBlock } from "../table/table-block.ts";
import { View } from "../table/view.ts";
import { allRows, type GatherPipe } from "./pipe.ts";

/** `blocks_count`: blocks with a row that was found. */
export class BlocksCountPipe implements GatherPipe {
  readonly byteSize = 8;
  readonly #as: string;
  #count = 0;

  constructor(as: string) {
    this.#as = as;
  }

  add(): void {
    this.#count++;
  }

  export(): number {
    return this.#count;
  }

  merge(partial: unknown): void {
    this.#count += partial as number;
  }

  finish() {
    const column = new ValuesColumn("rows", valuesOf([String(this.#count)]));
    const columns = new Map([[this.#as, column]]);
    return { view: View.table(new TableBlock({ rowCount: 1, columns })), rows: allRows(1) };
  }
}
