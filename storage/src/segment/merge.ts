import type { Block } from "../../../kit/src/block.ts";
import { type Moment, momentCompare } from "../../../kit/src/time.ts";
import { type BlockMeta, formatVersion, type PartitionMeta } from "../format/footer.ts";
import { blockBytesFull, blockRowsMax, mergeLevel, passCacheBytes } from "../format/limits.ts";
import { joinRows, makeRowSet, pickRows, type RowSet, sortedByTime } from "../format/row-order.ts";
import { BlockCache } from "./block-cache.ts";
import { type ColumnRun, columnRuns } from "./column-runs.ts";
import { openSegment, type Segment } from "./reader.ts";
import type { SegmentBlock } from "./segment-block.ts";
import { type BlockOwner, type SegmentFile, SegmentFileWriter } from "./segment-file.ts";

export interface MergeInput {
  readonly path: string;
  readonly uuid: string;
  /** Ordinals of blocks that are known to be damaged: left out. */
  readonly damagedBlocks?: readonly number[];
}

export interface MergeOptions {
  /** Where the file will appear. */
  readonly path: string;
  readonly uuid: string;
  readonly shard: number;
  readonly epoch: number;
  readonly positionFrom: number;
  readonly positionThrough: number;
  readonly level: number;
  /** In the order of the log. */
  readonly inputs: readonly MergeInput[];
  /** Leaves out what has expired; without it everything is kept. */
  readonly isExpired?: (partition: PartitionMeta, block: BlockMeta) => boolean;
}

/**
 * Merges segment files of one shard into one, durable when this returns. Blocks that are full are copied as they are;
 * of small ones become bigger ones, by time, rows of one stream and equal time in the order of the log. Holds one column of the blocks that overlap at
 * a time, and their times. Throws as `sealSegment`; damage names the input's file and block.
 */
export function mergeSegments(options: MergeOptions): SegmentFile {
  const { path, uuid, shard, epoch, positionFrom, positionThrough, level, inputs } = options;
  const replaces = inputs.map((input) => input.uuid);
  const identity = { uuid, shard, epoch, positionFrom, positionThrough, level, replaces };
  const segments: Segment[] = [];
  let writer: SegmentFileWriter | undefined;
  try {
    // Every column is used once or twice, but columns share chunks.
    const cache = new BlockCache(passCacheBytes);
    for (const input of inputs) segments.push(openSegment(input.path, cache));
    writer = new SegmentFileWriter(path, identity, mergeLevel);
    for (const { owner, blocks } of groupsOf(segments, options)) {
      mergeGroup(writer, owner, blocks);
    }
    return writer.finish();
  } catch (thrown) {
    writer?.abandon();
    throw thrown;
  } finally {
    for (const segment of segments) segment.close();
  }
}

/** Blocks that may be merged with each other: of one partition and day. */
interface Group {
  readonly owner: BlockOwner;
  readonly blocks: readonly SegmentBlock[];
}

function groupsOf(segments: readonly Segment[], options: MergeOptions): Group[] {
  const groups = new Map<string, { owner: BlockOwner; blocks: SegmentBlock[] }>();
  for (const [i, segment] of segments.entries()) {
    const without = new Set(options.inputs[i]?.damagedBlocks);
    for (const block of segment.blocks({ without })) {
      const partition = segment.partitionOf(block);
      if (options.isExpired?.(partition, block.meta) === true) continue;
      const { tenant, internal, receiptMsMax } = partition;
      const { day } = block.meta;
      const key = JSON.stringify([tenant, partition.class, internal, day]);
      const group = groups.get(key);
      if (group === undefined) {
        const owner = { tenant, class: partition.class, internal, day, receiptMsMax };
        groups.set(key, { owner, blocks: [block] });
      } else {
        group.blocks.push(block);
        const latest = Math.max(group.owner.receiptMsMax, receiptMsMax);
        group.owner = { ...group.owner, receiptMsMax: latest };
      }
    }
  }
  return [...groups.values()].sort((a, b) => ownerCompare(a.owner, b.owner));
}

function ownerCompare(a: BlockOwner, b: BlockOwner): number {
  const [nameA, nameB] = [a, b].map((each) =>
    JSON.stringify([each.tenant, each.class, each.internal]),
  );
  return nameA === nameB ? a.day - b.day : nameA! < nameB! ? -1 : 1;
}

/** Blocks are written in the order of their first times, copied ones and new ones. */
function mergeGroup(
  writer: SegmentFileWriter,
  owner: BlockOwner,
  blocks: readonly SegmentBlock[],
): void {
  const small = blocks.filter((block) => !isFull(block));
  const full = blocks.filter((block) => isFull(block));
  full.sort((a, b) => momentCompare(a.timeMin, b.timeMin));
  let next = 0;
  const copyUntil = (time: Moment | undefined): void => {
    while (
      next < full.length &&
      (time === undefined || momentCompare(full[next]!.timeMin, time) < 0)
    ) {
      writer.copyBlock(owner, full[next++]!);
    }
  };
  for (const run of columnRuns(small)) {
    mergeRun(run, (sources, rows) => {
      copyUntil({ ms: rows.ms[0]!, ns: rows.ns[0]! });
      writer.addBlock(owner, sources, rows);
    });
  }
  copyUntil(undefined);
}

/** The part of a block's limits at which it is full: twice as many rows save a tenth, and cost as much as sealing. */
const fullShare = 3 / 8;

/** Whether a block is so large that encoding its rows anew, with others, would save little. */
function isFull({ version, rowCount, meta }: SegmentBlock): boolean {
  if (version !== formatVersion) return false;
  return rowCount >= blockRowsMax * fullShare || meta.rawBytes >= blockBytesFull * fullShare;
}

/**
 * Rows of one entry and equal time may lie in two adjoining blocks of an input; the sort below is
 * stable, as is every later one, so they stay in order.
 * Opens blocks in the order of their first times. A row may be written once no unopened block can
 * have an earlier one; so only blocks that overlap in time are open together.
 */
function mergeRun(
  { blocks, rowsMax }: ColumnRun<SegmentBlock>,
  add: (sources: readonly Block[], rows: RowSet) => void,
): void {
  const waiting = [...blocks].sort((a, b) => momentCompare(a.timeMin, b.timeMin));
  const bytes = blocks.reduce((sum, { meta }) => sum + meta.rawBytes, 0);
  const rowCount = blocks.reduce((sum, block) => sum + block.rowCount, 0);
  const rowsByBytes = Math.floor(blockBytesFull / (bytes / rowCount));
  const chunkRows = Math.max(1, Math.min(blockRowsMax, rowsByBytes, rowsMax));
  const sources: Block[] = [...blocks];
  const ordinalOf = new Map(blocks.map((block, i) => [block, i]));
  let rows = makeRowSet(0);
  let next = 0;
  while (next < waiting.length || rows.ms.length > 0) {
    const parts = [rows];
    let ready = countReady(parts, waiting[next]);
    while (next < waiting.length && ready < chunkRows) {
      const block = waiting[next++]!;
      parts.push(rowsOf(block, ordinalOf.get(block)!));
      ready = countReady(parts, waiting[next]);
    }
    // Sorted once for all blocks that were opened: they may be many when records came late.
    rows = sortedByTime(joinRows(parts));
    // The last rows are shared evenly, rather than as a full block and a small rest.
    const isEven = next === waiting.length && ready > chunkRows && ready < chunkRows * 2;
    const count = isEven ? Math.ceil(ready / 2) : Math.min(ready, chunkRows);
    add(sources, slice(rows, 0, count));
    rows = slice(rows, count, rows.ms.length);
  }
}

/** How many rows come before anything of the next block. */
function countReady(parts: readonly RowSet[], next: SegmentBlock | undefined): number {
  let ready = 0;
  for (const part of parts) ready += next === undefined ? part.ms.length : countBefore(part, next);
  return ready;
}

function countBefore({ ms, ns }: RowSet, { timeMin }: SegmentBlock): number {
  let count = 0;
  for (let i = 0; i < ms.length; i++) {
    if (ms[i]! < timeMin.ms || (ms[i] === timeMin.ms && ns[i]! < timeMin.ns)) count++;
  }
  return count;
}

function rowsOf(block: SegmentBlock, source: number): RowSet {
  const rows = makeRowSet(block.rowCount);
  const { ms, ns } = block.times();
  rows.sourceOf.fill(source);
  for (let row = 0; row < block.rowCount; row++) rows.rowOf[row] = row;
  rows.ms.set(ms);
  if (ns !== undefined) rows.ns.set(ns);
  rows.positions.set(block.positions());
  return rows;
}

function slice(rows: RowSet, from: number, end: number): RowSet {
  if (from === 0 && end === rows.ms.length) return rows;
  return pickRows(
    rows,
    Uint32Array.from({ length: end - from }, (_, i) => from + i),
  );
}
