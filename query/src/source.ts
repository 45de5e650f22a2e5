import type { Block } from "../../kit/src/block.ts";
import type { Moment } from "../../kit/src/time.ts";
import type { WorkerPlan } from "./plan/plan.ts";
import type { TimeRange } from "./time-range.ts";

export type { TimeRange } from "./time-range.ts";

/**
 * What the query room asks of whoever stores records. It never imports storage: `services` hands it
 * a `Source` on the main thread and a `PartReader` in each worker.
 */

/** A piece of a cut that one worker reads in one turn. Plain data: it is posted to threads. */
export interface Part {
  /** Inclusive bounds of the records' times. */
  readonly timeMin: Moment;
  readonly timeMax: Moment;
  readonly rows: number;
  /** Stored bytes, for sharing work out and for the scanned-bytes count. */
  readonly bytes: number;
  /** Records of streams that Logkeep itself writes, such as `_rejected`. */
  readonly internal: boolean;
  /** Two parts of one identity hold the same records for all time; undefined: the records may change or go. */
  readonly identity?: string | undefined;
  /** Deletes by query that may hide some of its records. */
  readonly deletions?: readonly Deletion[] | undefined;
  /** Where it lies; only the `PartReader` reads this. */
  readonly ref: unknown;
}

/** A delete by query: hides the records that match its filter, below a position and within a range of times. */
export interface Deletion extends TimeRange {
  readonly id: string;
  /** As text that `parseFilter` reads; its times are resolved. */
  readonly filter: string;
  readonly position: number;
}

/** What a query sees: a state of every shard, pinned until released. */
export interface Cut {
  readonly parts: readonly Part[];
  /** Shards that had no owner to ask, by name; an answer without them is partial. */
  readonly missing: readonly string[];
  release(): void;
}

export interface Source {
  /**
   * `asked` is what the parts will be asked for: a source with an index of its own may leave out records that it does
   * not want. All others of the range are in the cut.
   */
  open(tenant: string, range: TimeRange, asked?: WorkerPlan): Promise<Cut>;
}

/** Opens the blocks of a part, in the thread that evaluates them. */
export interface PartReader {
  blocks(part: Part): Iterable<Block>;
}
