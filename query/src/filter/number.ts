import type { Block, Column, Values } from "../../../kit/src/block.ts";
import { numberWithUnit } from "../table/unit-number.ts";
import { costs, type Filter } from "./filter.ts";
import { narrowToValues } from "./narrow-to-values.ts";
import { RowSet } from "./row-set.ts";

/** Numbers from `min` to `max`, each in it or not. */
export interface NumberRange {
  readonly min: number;
  readonly max: number;
  readonly minInclusive: boolean;
  readonly maxInclusive: boolean;
}

/** `:>10`, `:range[1, 9)`: the value is a number, a size or a duration in the range. */
export class NumberFilter implements Filter {
  readonly cost = costs.number;
  readonly #field: string;
  readonly #range: NumberRange;
  readonly #text: string;

  constructor(field: string, range: NumberRange, text: string) {
    this.#field = field;
    this.#range = range;
    this.#text = text;
  }

  mayMatch(block: Block): boolean {
    const bounds = block.bounds(this.#field);
    if (bounds === undefined) return true;
    const { min, max, minInclusive, maxInclusive } = this.#range;
    const reaches = minInclusive ? bounds.max >= min : bounds.max > min;
    return reaches && (maxInclusive ? bounds.min <= max : bounds.min < max);
  }

  narrow(block: Block, rows: RowSet): void {
    const column = this.mayMatch(block) ? block.column(this.#field) : undefined;
    if (column === undefined) rows.clear();
    else narrowToValues(column, rows, (wanted) => this.#matching(column, wanted));
  }

  toString(): string {
    return this.#text;
  }

  #matching(column: Column, wanted: RowSet): RowSet {
    const found = RowSet.empty(wanted.rowCount);
    const numbers = column.numbers();
    const { min, max, minInclusive, maxInclusive } = this.#range;
    let values: Values | undefined;
    for (let i = wanted.next(0); i >= 0; i = wanted.next(i + 1)) {
      let number = numbers[i] as number;
      if (Number.isNaN(number)) {
        values ??= column.values();
        number = numberWithUnit(values, i);
      }
      const reaches = minInclusive ? number >= min : number > min;
      if (reaches && (maxInclusive ? number <= max : number < max)) found.add(i);
    }
    return found;
  }
}
