import type { Block } from "../../../kit/src/block.ts";
import { costs, type Filter } from "./filter.ts";
import type { RowSet } from "./row-set.ts";

/**
 * `:value_type(dict)`: the block of the row stores the field so. `const`: one value; `dict`: few; `template`: messages as
 * templates and variables; `number`: numbers only; `string`: anything else; none of these where no row of the block has it.
 */
export class ValueTypeFilter implements Filter {
  readonly cost = costs.none;
  readonly #field: string;
  readonly #type: string;
  readonly #text: string;

  constructor(field: string, type: string, text: string) {
    this.#field = field;
    this.#type = type;
    this.#text = text;
  }

  mayMatch(): boolean {
    return true;
  }

  narrow(block: Block, rows: RowSet): void {
    if (typeOf(block, this.#field) !== this.#type) rows.clear();
  }

  toString(): string {
    return this.#text;
  }
}

/** How a block stores a field; undefined where no row has it. */
export function typeOf(block: Block, field: string): string | undefined {
  const column = block.column(field);
  if (column === undefined) return undefined;
  if (column.layout !== "rows") return column.layout;
  if (column.templates !== undefined) return "template";
  return block.bounds(field) === undefined ? "string" : "number";
}
