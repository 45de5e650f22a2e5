import type { View } from "../table/view.ts";

/** Rows of a view with the group of each. */
export interface GroupedRows {
  readonly rows: Uint32Array;
  /** The group of `rows[i]`; undefined: all are of group 0. */
  readonly groups: Uint32Array | undefined;
  /** Groups that there are so far, in this view and before it. */
  readonly groupCount: number;
}

/** What a worker hands to the main thread: plain data, of the function that made it only. */
export interface StatsPartial {
  readonly function: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/**
 * The state of one function for all groups, column by column: element g is group g's. The same
 * class adds rows in a worker and merges partials on the main thread.
 */
export interface StatsState {
  /** Bytes held, near enough for the query's memory bound. */
  readonly byteSize: number;
  add(view: View, rows: GroupedRows): void;
  /** Whether the function only counts rows; then it has the two that follow. */
  readonly countsRows?: boolean;
  /** Those of the given rows that are counted. */
  countedRows?(view: View, rows: Uint32Array): Uint32Array;
  /** As `add`, where `hits[i]` rows are of group `groups[i]`. */
  addCounted?(hits: Float64Array, of: Omit<GroupedRows, "rows">): void;
  /** A copy that may be posted. */
  export(): StatsPartial;
  /** Takes a partial in: its group i is group `groupOf[i]` here. */
  merge(partial: StatsPartial, groupOf: Uint32Array): void;
  /** A group's result; a group that no row has reached has one too. */
  finish(group: number): string;
}
