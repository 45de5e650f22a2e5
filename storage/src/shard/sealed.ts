import type { StoreContext } from "./context.ts";
import type { SegmentEntry } from "./manifest.ts";
import { pendingOf } from "./rewriting.ts";
import { pin, unpin } from "./segment-set.ts";
import type { PlacedTombstone } from "./tombstone.ts";

/** What of a shard lies in segments, at one moment. */
export interface SealedShard {
  /** Of the incarnation that serves it: a higher one than before means that another may have served it in between. */
  readonly epoch: number;
  /** Every entry up to this position is in the segments, but for what was dropped. */
  readonly through: number;
  /** By where they begin in the shard's log; without those whose file is gone or short. */
  readonly segments: readonly SegmentEntry[];
  readonly lostSegments: readonly SegmentEntry[];
}

/** A segment file that stays where it is until it is released. */
export interface PinnedSegment {
  readonly entry: SegmentEntry;
  readonly path: string;
  /** Ordinals of blocks that are damaged and are not to be read. */
  readonly damagedBlocks: readonly number[];
  /** What may hide some of its records, as of when it was pinned. */
  readonly tombstones: readonly PlacedTombstone[];
  /** Once; more does nothing. */
  release(): void;
}

/** What has become of a shard's segments; a merge changes no record and is not told. */
export type SegmentChange =
  | { readonly kind: "sealed"; readonly shard: number }
  | {
      readonly kind: "dropped";
      readonly shard: number;
      readonly segments: readonly SegmentEntry[];
    };

/** One synchronous step. Undefined while the shard is not served here. */
export function sealedShard({ shards }: StoreContext, id: number): SealedShard | undefined {
  const shard = shards[id];
  if (shard?.state.kind !== "serving") return undefined;
  const lostSegments: SegmentEntry[] = [];
  const segments: SegmentEntry[] = [];
  for (const { entry, isLost } of shard.segments.all) {
    (isLost ? lostSegments : segments).push(entry);
  }
  return { epoch: shard.epoch, through: shard.sealedThrough.position, segments, lostSegments };
}

/** Undefined when the segment is no longer live, or lost. */
export function pinSegment(
  { shards }: StoreContext,
  id: number,
  uuid: string,
): PinnedSegment | undefined {
  const shard = shards[id];
  const segment = shard?.segments.find(uuid);
  if (shard === undefined || segment === undefined || segment.isLost) return undefined;
  pin(segment);
  let isPinned = true;
  const { entry, path } = segment;
  return {
    entry,
    path,
    damagedBlocks: [...segment.damagedBlocks],
    tombstones: pendingOf(shard, segment),
    release() {
      if (isPinned) unpin(segment);
      isPinned = false;
    },
  };
}
