import type { Batch } from "../format/batch.ts";
import { openBatch } from "../format/batch.ts";
import { blockBytesFull, blockRowsMax, sealLevel } from "../format/limits.ts";
import {
  makeRowSet,
  pickRows,
  type RowSet,
  rowsBetween,
  sortedByTime,
} from "../format/row-order.ts";
import { type ColumnRun, columnRuns } from "./column-runs.ts";
import { dayBounded } from "./day.ts";
import { type BlockOwner, type SegmentFile, SegmentFileWriter } from "./segment-file.ts";

/** A batch and the position of its entry. */
export interface SealInput {
  /** The batch at the start, 8-aligned in memory (else it is copied). */
  readonly bytes: Uint8Array;
  readonly position: number;
}

export interface SealOptions {
  /** Where the file will appear. */
  readonly path: string;
  readonly uuid: string;
  readonly shard: number;
  readonly epoch: number;
  readonly positionFrom: number;
  readonly positionThrough: number;
  /** In the order of the log. */
  readonly batches: readonly SealInput[];
}

/**
 * Writes the records of batches as one immutable segment file, durable when this returns. Throws
 * `storage.full`, `storage.failed` or, for bytes that are no batch, `storage.damaged`; then no file is left.
 */
export function sealSegment(options: SealOptions): SegmentFile {
  const { path, uuid, shard, epoch, positionFrom, positionThrough } = options;
  const identity = { uuid, shard, epoch, positionFrom, positionThrough, level: 0, replaces: [] };
  const batches = options.batches.map(({ bytes, position }) =>
    openBatch(bytes, 0, bytes.length, position),
  );
  const writer = new SegmentFileWriter(path, identity, sealLevel);
  try {
    for (const group of groupsOf(batches)) {
      for (const run of columnRuns(group)) writeRun(writer, run);
    }
    return writer.finish();
  } catch (thrown) {
    writer.abandon();
    throw thrown;
  }
}

/** The batches of one tenant, class and kind of stream. */
function groupsOf(batches: readonly Batch[]): Batch[][] {
  const groups = new Map<string, Batch[]>();
  for (const batch of batches) {
    const { tenant, retentionClass, internal } = batch.header;
    const key = JSON.stringify([tenant, retentionClass, internal]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [batch]);
    else group.push(batch);
  }
  return [...groups.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group);
}

function writeRun(writer: SegmentFileWriter, { blocks: batches, rowsMax }: ColumnRun<Batch>): void {
  const { tenant, retentionClass, internal } = batches[0]!.header;
  const receiptMsMax = batches.reduce(
    (latest, { header }) => Math.max(latest, header.receiptMs),
    Number.NEGATIVE_INFINITY,
  );
  const owner = { tenant, class: retentionClass, internal, receiptMsMax };
  const rowCount = batches.reduce((sum, batch) => sum + batch.rowCount, 0);
  const byteLength = batches.reduce((sum, batch) => sum + batch.header.byteLength, 0);
  const rowsByBytes = Math.floor(blockBytesFull / (byteLength / rowCount));
  const chunkRows = Math.max(1, Math.min(blockRowsMax, rowsByBytes, rowsMax));
  for (const [day, rows] of rowsByDay(batches, rowCount)) {
    writeDay(writer, { ...owner, day }, batches, { rows: sortedByTime(rows), chunkRows });
  }
}

function writeDay(
  writer: SegmentFileWriter,
  owner: BlockOwner,
  batches: readonly Batch[],
  { rows, chunkRows }: { readonly rows: RowSet; readonly chunkRows: number },
): void {
  // Equal parts, rather than full ones and a small rest.
  const parts = Math.ceil(rows.ms.length / chunkRows);
  for (let part = 0; part < parts; part++) {
    const from = Math.floor((rows.ms.length * part) / parts);
    const end = Math.floor((rows.ms.length * (part + 1)) / parts);
    writer.addBlock(owner, batches, rowsBetween(rows, from, end));
  }
}

/** The rows of each day, in the order of the log. */
function rowsByDay(batches: readonly Batch[], rowCount: number): [number, RowSet][] {
  const all = makeRowSet(rowCount);
  let at = 0;
  for (const [source, batch] of batches.entries()) {
    const { ms, ns } = batch.times();
    const end = at + batch.rowCount;
    all.sourceOf.fill(source, at, end);
    all.positions.fill(batch.position, at, end);
    all.ms.set(ms, at);
    if (ns !== undefined) all.ns.set(ns, at);
    for (let row = 0; at < end; row++) all.rowOf[at++] = row;
  }
  const day = commonDay(batches);
  return day === undefined ? splitByDay(batches, all) : [[day, all]];
}

/** The day of all rows, if it is one. */
function commonDay(batches: readonly Batch[]): number | undefined {
  const days = new Set<number>();
  for (const { header } of batches) {
    days.add(dayBounded(header.timeMin.ms, header.receiptMs));
    days.add(dayBounded(header.timeMax.ms, header.receiptMs));
  }
  return days.size === 1 ? [...days][0] : undefined;
}

function splitByDay(batches: readonly Batch[], all: RowSet): [number, RowSet][] {
  const dayOf = Int32Array.from(all.ms, (ms, i) =>
    dayBounded(ms, batches[all.sourceOf[i]!]!.header.receiptMs),
  );
  const counts = new Map<number, number>();
  for (const day of dayOf) counts.set(day, (counts.get(day) ?? 0) + 1);
  return [...counts.entries()]
    .sort(([a], [b]) => a - b)
    .map(([day, count]) => [day, pickRows(all, indicesOf(dayOf, day, count))]);
}

function indicesOf(dayOf: Int32Array, day: number, count: number): Uint32Array {
  const picked = new Uint32Array(count);
  let at = 0;
  for (let i = 0; i < dayOf.length; i++) if (dayOf[i] === day) picked[at++] = i;
  return picked;
}
