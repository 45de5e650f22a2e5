import type { Block, Values } from "../source.ts";
import { costs, type Filter } from "./filter.ts";
import type { RowSet } from "./row-set.ts";

/** Asks values of one field; each distinct value is looked at once. */
export interface ValueTest {
  readonly cost: number;
  /** Whether rows without the field match. */
  readonly matchesEmpty: boolean;
  /** Words that a matching value must contain whole; none: nothing is known. */
  readonly words: readonly string[];
  /** Marks with 1 the values that match; `wanted` has 1 for those that anybody asks for. */
  mark(values: Values, wanted: Uint8Array | undefined, marked: Uint8Array): void;
  /** As `mark`, where numbers decide; undefined: they do not. */
  readonly markNumbers?: (numbers: Float64Array, marked: Uint8Array) => boolean;
  /** False: no value within these bounds matches. */
  readonly mayMatch?: (bounds: { readonly min: number; readonly max: number }) => boolean;
}

/** Below this share of a block's rows only their values are looked at, and not all. */
const sparseShare = 1 / 8;

/** A condition on the values of one field. */
export class FieldFilter implements Filter {
  readonly cost: number;
  readonly #field: string;
  readonly #test: ValueTest;

  constructor(field: string, test: ValueTest) {
    this.#field = field;
    this.#test = test;
    this.cost = test.cost + (field === "_msg" ? costs.word : 0);
  }

  narrow(block: Block, rows: RowSet): void {
    const test = this.#test;
    const column = block.column(this.#field);
    if (column === undefined) {
      if (!test.matchesEmpty) rows.clear();
      return;
    }
    if (!test.matchesEmpty && this.#isPruned(block)) {
      rows.clear();
      return;
    }
    const { layout, codes, valueCount } = column;
    const marked = new Uint8Array(valueCount);
    const isByNumber = test.markNumbers?.(column.numbers(), marked) ?? false;
    if (!isByNumber)
      test.mark(column.values(), this.#wanted(rows, layout, codes, valueCount), marked);
    if (layout === "const") {
      if (marked[0] === 0) rows.clear();
    } else rows.keepMarked(marked, codes);
  }

  #isPruned(block: Block): boolean {
    const { words, mayMatch } = this.#test;
    if (words.length > 0 && !block.mayContain(this.#field, words)) return true;
    if (mayMatch === undefined) return false;
    const bounds = block.bounds(this.#field);
    return bounds !== undefined && !mayMatch(bounds);
  }

  #wanted(
    rows: RowSet,
    layout: string,
    codes: ArrayLike<number> | undefined,
    valueCount: number,
  ): Uint8Array | undefined {
    if (layout === "const" || rows.count > valueCount * sparseShare) return undefined;
    const wanted = new Uint8Array(valueCount);
    for (const row of rows.rows()) wanted[codes === undefined ? row : (codes[row] as number)] = 1;
    return wanted;
  }
}

/** Marks by a test of one value, which gets its place in the bytes. */
export function markEach(
  { bytes, offsets }: Values,
  wanted: Uint8Array | undefined,
  marked: Uint8Array,
  test: (bytes: Buffer, start: number, end: number) => boolean,
): void {
  for (let i = 0; i < marked.length; i++) {
    if (wanted !== undefined && wanted[i] === 0) continue;
    if (test(bytes, offsets[i] as number, offsets[i + 1] as number)) marked[i] = 1;
  }
}
