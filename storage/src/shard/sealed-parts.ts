import { statSync } from "node:fs";
import { join } from "node:path";
import { momentCompare } from "../../../kit/src/time.ts";
import type { StoreContext } from "./context.ts";
import type { CutPart, CutRange, SegmentRef } from "./cut.ts";
import type { SegmentEntry, SegmentPartition } from "./manifest.ts";
import type { Deletion } from "./tombstone.ts";

/** A part of a cut that lies in a sealed file, without saying where: every whole copy of the file has the same. Plain data. */
export interface SealedPart extends Omit<CutPart, "ref"> {
  /** Name and size of the file, as the manifest has them. */
  readonly file: string;
  readonly fileBytes: number;
  readonly uuid: string;
  readonly tenant: string;
  readonly class: string;
}

/** What of a segment a cut is about. */
export interface SealedWanted {
  readonly tenant: string;
  readonly range: CutRange;
  readonly deletionsOf: (partition: SegmentPartition) => readonly Deletion[];
}

/** The parts of a segment for one tenant and range of times. */
export function sealedParts(
  shard: number,
  entry: SegmentEntry,
  { tenant, range, deletionsOf }: SealedWanted,
): SealedPart[] {
  const { uuid, file, positionThrough, bytes: fileBytes } = entry;
  return entry.partitions
    .filter(
      (partition) =>
        partition.tenant === tenant &&
        momentCompare(partition.timeMax, range.from) >= 0 &&
        momentCompare(partition.timeMin, range.to) < 0,
    )
    .map((partition) => {
      const { internal, rows, timeMin, timeMax } = partition;
      return {
        ...{ shard, positionThrough, timeMin, timeMax, rows, internal },
        bytes: Math.ceil((fileBytes * rows) / Math.max(1, entry.rows)),
        deletions: deletionsOf(partition),
        ...{ file, fileBytes, uuid, tenant, class: partition.class },
      };
    });
}

/** The part as it is read from one copy of its file. */
export function placedPart(
  { file, fileBytes, uuid, tenant, class: name, ...part }: SealedPart,
  path: string,
  damagedBlocks: readonly number[],
): CutPart {
  const { internal } = part;
  const ref: SegmentRef = {
    ...{ kind: "segment", path, uuid, tenant, internal, damagedBlocks },
    ...{ class: name, file, fileBytes },
  };
  return { ...part, ref };
}

/** What any copy of the part's file has; undefined for a part in memory. */
export function sealedPartOf({ ref, ...part }: CutPart): SealedPart | undefined {
  if (ref.kind === "memory") return undefined;
  const { file, fileBytes, uuid, tenant, class: name } = ref;
  return { ...part, file, fileBytes, uuid, tenant, class: name };
}

/**
 * The parts whose file this node has, be it as its shard's owner or not; undefined where it has none that is whole. A file that was
 * replaced or dropped stays for as long as a query may take, so nothing is pinned.
 */
export function openSealedParts(
  { damage, paths, shards }: StoreContext,
  parts: readonly SealedPart[],
): (CutPart | undefined)[] {
  return parts.map((part) => {
    const shard = shards[part.shard];
    if (shard === undefined) return undefined;
    const live = shard.segments.find(part.uuid);
    const isDamaged =
      live?.isLost === true ||
      (live?.damagedBlocks.size ?? 0) > 0 ||
      damage.blocksOf(part.uuid).length > 0;
    if (isDamaged) return undefined;
    const path = join(paths.shard(part.shard), part.file);
    const size = statSync(path, { throwIfNoEntry: false })?.size;
    return size === part.fileBytes ? placedPart(part, path, []) : undefined;
  });
}

/**
 * The deletes of a tenant that may still hide records somewhere: each is known in every shard until it is done in all of them. Without the
 * place that each has in the log of a shard that is not served, they hide all that matches. Undefined when no shard is served here.
 */
export function deletionsOf({ shards }: StoreContext, tenant: string): Deletion[] | undefined {
  const serving = shards.filter(({ state }) => state.kind === "serving");
  if (serving.length === 0) return undefined;
  const found = new Map<string, Deletion>();
  for (const { once } of serving) {
    for (const { id, tenant: of, filter, from, to } of once.tombstones.all) {
      if (of === tenant) found.set(id, { id, filter, from, to, position: Number.MAX_SAFE_INTEGER });
    }
  }
  return [...found.values()];
}
