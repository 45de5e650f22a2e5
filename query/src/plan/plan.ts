import type { FilterNode, PipeNode } from "../language/ast.ts";
import type { TransformPipe } from "../language/pipe-node.ts";
import type { TimeRange } from "../time-range.ts";

/** Pipes that look at each row alone. */
export type RowPipeNode =
  /** Makes `_stream_id` a field; no query says it, the plan of one that names the field does. */
  { readonly kind: "showStreamId" } | WrittenRowPipe;

/** Those that a query says. */
export type WrittenRowPipe =
  | TransformPipe
  | Extract<
      PipeNode,
      { readonly kind: "fields" | "delete" | "rename" | "copy" | "filter" | "math" | "extract" }
    >;

/** Pipes that need all rows and can be split into partials. */
export type GatherPipeNode = Extract<
  PipeNode,
  {
    readonly kind:
      | "stats"
      | "sort"
      | "top"
      | "uniq"
      | "fieldNames"
      | "fieldValues"
      | "facets"
      | "blockStats"
      | "blocksCount";
  }
>;

/** Rows `offset … offset + limit` of an ordered answer; without a limit, to its end. */
export interface Window {
  readonly offset: number;
  readonly limit: number | undefined;
}

/** A record's place in the order of answers, newest first or the very reverse: what a page goes on after. */
export interface RecordKey {
  readonly ms: number;
  readonly ns: number;
  readonly stream: string;
  readonly position: number;
}

/** What a worker does with the rows that its filter and row pipes leave. */
export type Sink =
  /** Serialises them, newest first unless told otherwise, at most `wanted` a part; only records at or after `from` in that order. */
  | {
      readonly kind: "records";
      readonly wanted: number | undefined;
      readonly from: RecordKey | undefined;
      readonly oldestFirst?: boolean | undefined;
    }
  /** Keeps the newest rows as columns, for pipes that follow. */
  | { readonly kind: "newest"; readonly wanted: number | undefined }
  | { readonly kind: "gather"; readonly pipe: GatherPipeNode }
  /** Keeps the first rows in the order in which they were stored, of one shard's positions `from … upTo`. */
  | {
      readonly kind: "replay";
      readonly from: number;
      readonly upTo: number;
      readonly wanted: number;
    }
  /** Counts them all and keeps so many of the newest, of one shard's positions `from … upTo`. */
  | {
      readonly kind: "matches";
      readonly from: number;
      readonly upTo: number;
      readonly keep: number;
    };

/** A worker's part of a query, plain data. */
export interface WorkerPlan {
  readonly filter: FilterNode;
  readonly range: TimeRange;
  readonly pipes: readonly RowPipeNode[];
  readonly sink: Sink;
}

/** A worker's part of a query as it is posted, once with every piece of work. */
export interface PlanMessage extends WorkerPlan {
  /** Different for every query of a process; workers keep what they compiled by it. */
  readonly id: string;
  readonly memoryBytesMax: number;
  /** Workers watch what they do, and tell. */
  readonly analyze?: boolean | undefined;
  /** One i32: not zero once the query has been cancelled. */
  readonly cancelled: SharedArrayBuffer;
}

/** A query, split: workers do `worker` for each part, the main thread merges and does the rest. */
export interface Plan {
  readonly worker: WorkerPlan;
  /** For sinks of rows: which of the merged rows are answered, or go on to `rest`. */
  readonly window: Window;
  /** Pipes over the merged result. */
  readonly rest: readonly PipeNode[];
  /** Rows answered at most. */
  readonly limit: number | undefined;
}
