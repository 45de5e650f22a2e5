import type { Block, Column, Templates } from "../../../kit/src/block.ts";
import { interrupt } from "../table/interrupt.ts";
import type { Filter } from "./filter.ts";
import { narrowToValues } from "./narrow-to-values.ts";
import type { RowSet } from "./row-set.ts";
import { TemplateSearch } from "./template-search.ts";
import { matchesValue, matchingValues } from "./value-scan.ts";
import type { ValueTest } from "./value-test.ts";

/** Texts are taken row by row when fewer than one in so many rows is asked for; else a column is read as a whole. */
const pickedShare = 32;

/** Texts taken at a time, so that a block of long ones is never in memory twice. */
const pickedRowsMax = 4_096;

/** Matches rows whose value of a field passes a test; each distinct value is tested once. */
export class ValueFilter implements Filter {
  readonly #field: string;
  readonly #test: ValueTest;
  readonly #text: string;
  readonly #search: TemplateSearch | undefined;

  /** `text` is the filter in the query language. */
  constructor(field: string, test: ValueTest, text: string) {
    this.#field = field;
    this.#test = test;
    this.#text = text;
    this.#search = TemplateSearch.of(test);
  }

  get cost(): number {
    return this.#test.cost;
  }

  mayMatch(block: Block): boolean {
    const { tokens, matchesEmpty, needle, others, piecesDecide } = this.#test;
    if (matchesEmpty) return true;
    if (tokens.length > 0) {
      if (!block.mayContain(this.#field, tokens)) return false;
      // Of words, that tells more than pieces of them do; of a whole value it may tell little.
      if (piecesDecide) return true;
    }
    const mayHold = (piece: Buffer): boolean => block.mayHold?.(this.#field, piece) ?? true;
    return (needle === undefined || mayHold(needle)) && others.every(mayHold);
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
    if (column.layout !== "rows") {
      narrowToValues(column, rows, (wanted) => this.#matching(column, wanted));
    } else if (rows.count * pickedShare < rows.rowCount) {
      keepPicked(this.#test, column, rows);
    } else if (column.templates !== undefined && this.#search !== undefined) {
      this.#narrowTemplates(column, column.templates, this.#search, rows);
    } else {
      rows.and(this.#matching(column, rows));
    }
  }

  toString(): string {
    return this.#text;
  }

  #narrowTemplates(
    column: Column,
    templates: Templates,
    search: TemplateSearch,
    rows: RowSet,
  ): void {
    const { matched, open } = search.rows(templates, rows.rowCount);
    open.and(rows);
    keepPicked(this.#test, column, open);
    matched.or(open);
    rows.and(matched);
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

/** Keeps the rows whose values match, looking at no others. */
function keepPicked(test: ValueTest, column: Column, rows: RowSet): void {
  const asked = rows.rows();
  for (let at = 0; at < asked.length; at += pickedRowsMax) {
    const some = asked.subarray(at, at + pickedRowsMax);
    interrupt.check();
    const values = column.pick(some);
    for (let i = 0; i < some.length; i++) {
      if (!matchesValue(test, values, i)) rows.remove(some[i] as number);
    }
  }
}
