import type { Block, Column } from "../../../kit/src/block.ts";
import type { Filter } from "./filter.ts";
import { RowSet } from "./row-set.ts";
import { matchesValue, matchingValues } from "./value-scan.ts";
import type { ValueTest } from "./value-test.ts";

/** Matches rows whose value of a field passes a test; each distinct value is tested once. */
export class ValueFilter implements Filter {
  readonly #field: string;
  readonly #test: ValueTest;
  readonly #text: string;

  /** `text` is the filter in the query language. */
  constructor(field: string, test: ValueTest, text: string) {
    this.#field = field;
    this.#test = test;
    this.#text = text;
  }

  get cost(): number {
    return this.#test.cost;
  }

  mayMatch(block: Block): boolean {
    const { tokens, matchesEmpty } = this.#test;
    return matchesEmpty || tokens.length === 0 || block.mayContain(this.#field, tokens);
  }

  narrow(block: Block, rows: RowSet): void {
    if (!this.mayMatch(block)) {
      rows.clear();
      return;
    }
    const column = block.column(this.#field);
    if (column === undefined) {
      if (!this.#test.matchesEmpty) rows.clear();
      return;
    }
    narrowToValues(column, rows, (wanted) => this.#matching(column, wanted));
  }

  toString(): string {
    return this.#text;
  }

  #matching(column: Column, wanted: RowSet): RowSet {
    const values = column.values();
    const found = matchingValues(this.#test, values, wanted);
    if (this.#test.matchesEmpty && this.#test.needle !== undefined) {
      for (let i = wanted.next(0); i >= 0; i = wanted.next(i + 1)) {
        if (matchesValue(this.#test, values, i)) found.add(i);
      }
    }
    return found;
  }
}

/** Keeps the rows whose values are among those that `matching` picks of the ones it is asked for. */
export function narrowToValues(
  column: Column,
  rows: RowSet,
  matching: (wanted: RowSet) => RowSet,
): void {
  if (column.layout === "rows") {
    rows.and(matching(rows));
    return;
  }
  const found = matching(new RowSet(column.valueCount));
  if (found.isEmpty) rows.clear();
  else if (column.layout === "dict" && column.codes !== undefined) {
    const verdicts = new Uint8Array(column.valueCount);
    for (let i = found.next(0); i >= 0; i = found.next(i + 1)) verdicts[i] = 1;
    rows.keepCodes(column.codes, verdicts);
  }
}
