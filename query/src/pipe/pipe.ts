import type { View } from "../table/view.ts";

/** Rows of a view, in the order in which they are answered. */
export interface Rows {
  readonly view: View;
  readonly rows: Uint32Array;
}

/** A pipe that looks at each row alone: it runs in workers, block by block. */
export interface RowPipe {
  apply(input: Rows): Rows;
}

/**
 * A pipe that needs all rows. The same class adds rows in a worker, merges what workers exported on the main thread,
 * and finishes there.
 */
export interface GatherPipe {
  /** Bytes held, near enough for the query's memory bound. */
  readonly byteSize: number;
  /** Records older than this are not wanted any more, in milliseconds; absent: all are. */
  readonly floorMs?: number | undefined;
  add(input: Rows): void;
  /** As `add`, where the i-th row stands for `counts[i]` equal ones; only of pipes that do nothing but count. */
  addCounted?(input: Rows, counts: Float64Array): void;
  /** A copy that may be posted; only the same pipe reads it. */
  export(): unknown;
  merge(partial: unknown): void;
  finish(): Rows;
}

/** The numbers 0 … count − 1: all rows. */
export function allRows(count: number): Uint32Array<ArrayBuffer> {
  const rows = new Uint32Array(count);
  for (let i = 0; i < count; i++) rows[i] = i;
  return rows;
}
