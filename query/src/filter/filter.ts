import type { Block } from "../../../kit/src/block.ts";
import type { RowSet } from "./row-set.ts";

/** One condition on rows; immutable, used for any number of blocks. */
export interface Filter {
  /** What it costs to look at a row, relative to others: `and` asks the cheap ones first. */
  readonly cost: number;
  /** False only when no row of the block can match, as far as can be told without reading a column. */
  mayMatch(block: Block): boolean;
  /** Removes the rows that do not match. */
  narrow(block: Block, rows: RowSet): void;
  /** The filter in the query language. */
  toString(): string;
}

/** Costs of a row, in about nanoseconds. */
export const costs = {
  none: 0,
  /** A comparison of numbers, or a look-up by code. */
  code: 1,
  number: 4,
  /** The whole value, mostly told apart by its length or first bytes. */
  value: 5,
  /** A search through the value's bytes. */
  search: 50,
  /** A text made of the value. */
  text: 300,
  regex: 1_000,
} as const;
