import type { Block, Column } from "../../../kit/src/block.ts";
import type { CompareFieldNode } from "../language/ast.ts";
import { parseNumeric } from "../language/numeric.ts";
import { codeAt } from "../table/column.ts";
import { costs, type Filter } from "./filter.ts";
import type { RowSet } from "./row-set.ts";

/**
 * `a:eq_field(b)`: the same text in both, both empty too. `a:lt_field(b)`, `a:le_field(b)`: by number when both are one,
 * else by bytes.
 */
export class CompareFieldFilter implements Filter {
  readonly cost = costs.text;
  readonly #node: CompareFieldNode;
  readonly #text: string;

  constructor(node: CompareFieldNode, text: string) {
    this.#node = node;
    this.#text = text;
  }

  mayMatch(): boolean {
    return true;
  }

  narrow(block: Block, rows: RowSet): void {
    const left = new Side(block.column(this.#node.field));
    const right = new Side(block.column(this.#node.other));
    const { op } = this.#node;
    for (let row = rows.next(0); row >= 0; row = rows.next(row + 1)) {
      const order = op === "eq" ? left.compareBytes(right, row) : left.compare(right, row);
      if (!(op === "lt" ? order < 0 : op === "le" ? order <= 0 : order === 0)) rows.remove(row);
    }
  }

  toString(): string {
    return this.#text;
  }
}

const empty = Buffer.alloc(0);

/** A field's values in a block's rows. */
class Side {
  readonly #column: Column | undefined;
  readonly #numbers = new Map<number, number>();

  constructor(column: Column | undefined) {
    this.#column = column;
  }

  compareBytes(other: Side, row: number): number {
    return this.#bytes(row).compare(other.#bytes(row));
  }

  compare(other: Side, row: number): number {
    const difference = this.#number(row) - other.#number(row);
    return Number.isNaN(difference) ? this.compareBytes(other, row) : difference;
  }

  #bytes(row: number): Buffer {
    const column = this.#column;
    if (column === undefined) return empty;
    const code = codeAt(column, row);
    const { bytes, offsets } = column.values();
    return bytes.subarray(offsets[code], offsets[code + 1]);
  }

  #number(row: number): number {
    const column = this.#column;
    if (column === undefined) return Number.NaN;
    const code = codeAt(column, row);
    const plain = column.numbers()[code] as number;
    if (!Number.isNaN(plain)) return plain;
    let number = this.#numbers.get(code);
    if (number === undefined) {
      number = parseNumeric(this.#bytes(row).toString()) ?? Number.NaN;
      this.#numbers.set(code, number);
    }
    return number;
  }
}
