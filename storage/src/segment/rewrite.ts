import { type BlockMeta, formatVersion, type PartitionMeta } from "../format/footer.ts";
import { mergeLevel, passCacheBytes } from "../format/limits.ts";
import { makeRowSet, pickRows, type RowSet, sortedByTime } from "../format/row-order.ts";
import { BlockCache } from "./block-cache.ts";
import { openSegment, type Segment } from "./reader.ts";
import type { SegmentBlock } from "./segment-block.ts";
import { type BlockOwner, type SegmentFile, SegmentFileWriter } from "./segment-file.ts";

export interface RewriteOptions {
  /** Where the file will appear. */
  readonly path: string;
  readonly uuid: string;
  readonly epoch: number;
  readonly input: { readonly path: string; readonly uuid: string };
  /** The rows of a block that stay, ascending; undefined: all of them. Asked once for each block, in their order. */
  readonly keep: (partition: PartitionMeta, block: SegmentBlock) => Uint32Array | undefined;
}

/** `unchanged`: every row stays. `empty`: none does. Neither writes a file. */
export type RewriteResult =
  | { readonly kind: "unchanged" }
  | { readonly kind: "empty" }
  | { readonly kind: "written"; readonly file: SegmentFile };

/**
 * Writes a segment file anew without some of its rows, durable when this returns. Blocks that keep all of theirs are
 * copied. Holds the numbers of the rows that stay of the other blocks. Throws as `mergeSegments`.
 */
export function rewriteSegment(options: RewriteOptions): RewriteResult {
  const segment = openSegment(options.input.path, new BlockCache(passCacheBytes));
  try {
    const kept = new Map<number, Uint32Array>();
    let rows = 0;
    let blocks = 0;
    for (const block of segment.blocks()) {
      const stay = options.keep(segment.partitionOf(block), block);
      if (stay !== undefined && stay.length < block.rowCount) kept.set(block.ordinal, stay);
      rows += stay?.length ?? block.rowCount;
      blocks++;
    }
    if (kept.size === 0 && blocks > 0) return { kind: "unchanged" };
    if (rows === 0) return { kind: "empty" };
    return { kind: "written", file: write(options, segment, kept) };
  } finally {
    segment.close();
  }
}

function write(
  { path, uuid, epoch, input }: RewriteOptions,
  segment: Segment,
  kept: ReadonlyMap<number, Uint32Array>,
): SegmentFile {
  const { shard, level, positionFrom, positionThrough } = segment.footer;
  const range = { shard, level, positionFrom, positionThrough };
  const identity = { uuid, epoch, ...range, replaces: [input.uuid] };
  const writer = new SegmentFileWriter(path, identity, mergeLevel);
  try {
    for (const block of segment.blocks()) {
      const stay = kept.get(block.ordinal);
      if (stay?.length === 0) continue;
      const owner = ownerOf(segment.partitionOf(block), block.meta);
      if (stay === undefined && block.version === formatVersion) writer.copyBlock(owner, block);
      else writer.addBlock(owner, [block], rowsOf(block, stay));
    }
    return writer.finish();
  } catch (thrown) {
    writer.abandon();
    throw thrown;
  }
}

function ownerOf(partition: PartitionMeta, { day }: BlockMeta): BlockOwner {
  const { tenant, internal, receiptMsMax } = partition;
  return { tenant, class: partition.class, internal, day, receiptMsMax };
}

/** Rows that are equal in stream and time lie in the order of the log, and stay in it. */
function rowsOf(block: SegmentBlock, stay: Uint32Array | undefined): RowSet {
  const rows = makeRowSet(block.rowCount);
  const { ms, ns } = block.times();
  for (let row = 0; row < block.rowCount; row++) rows.rowOf[row] = row;
  rows.ms.set(ms);
  if (ns !== undefined) rows.ns.set(ns);
  rows.positions.set(block.positions());
  return sortedByTime(stay === undefined ? rows : pickRows(rows, stay));
}
