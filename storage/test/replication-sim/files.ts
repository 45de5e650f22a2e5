import type { LogPoint, SegmentRef } from "../../src/replication/core/types.ts";
import type { Tables } from "./tables.ts";

/** A record in a segment, with its position in the log. */
export interface SealedRecord {
  readonly position: number;
  readonly record: number;
}

/** A sealed file: what a segment or a checkpoint holds. Files never change. */
export type StoredFile =
  | {
      readonly kind: "segment";
      readonly uuid: string;
      readonly records: readonly SealedRecord[];
    }
  | { readonly kind: "checkpoint"; readonly uuid: string; readonly tables: Tables };

/** `/segments`: the sealed state but for the list of segments, which are znodes of their own. */
export interface SealedZnode {
  readonly generation: number;
  readonly sealedThrough: LogPoint;
  readonly checkpoint: SegmentRef | undefined;
}

/** `/shard`: see `ShardFacts`. */
export interface ShardZnode {
  readonly epoch: number;
  readonly owner: string | undefined;
  readonly next: string | undefined;
  readonly transferMs: number;
  readonly replicas: readonly string[];
  readonly inSync: readonly string[];
  readonly lossEpoch?: number | undefined;
}

/** `/assignment`: what the balancer wants. */
export interface Assignment {
  readonly replicas: readonly string[];
  readonly owner: string | undefined;
  readonly minInSync: number;
}

export const paths = {
  shard: "/shard",
  owner: "/shard/owner",
  sealed: "/segments",
  segments: "/segments/",
  assignment: "/assignment",
  barrier: "/barrier",
  live: "/live/",
} as const;
