import type { Block } from "../source.ts";
import type { RowSet } from "./row-set.ts";

/** One condition, compiled for one thread; the same object for many blocks. */
export interface Filter {
  /** How dear it is beside others: the cheap ones of an `and` go first. */
  readonly cost: number;
  /** Takes away the rows that do not match. */
  narrow(block: Block, rows: RowSet): void;
}

/** What costs look like: labels and times, whole values, words in texts, patterns in texts. */
export const costs = {
  any: 0,
  stream: 1,
  time: 2,
  value: 10,
  word: 50,
  text: 100,
  regex: 200,
} as const;
