import type { Bounds } from "../../../kit/src/block.ts";
import { ByteReader } from "./byte-reader.ts";
import type { ByteWriter } from "./byte-writer.ts";
import { type ChunkRef, readChunkRef, writeChunkRef } from "./chunk.ts";
import { checkStored } from "./damage.ts";
import { type ColumnRef, type PayloadRef, readColumnRef, readPayloadRef } from "./frames.ts";
import { blockRowsMax, blockStreamsMax, columnsMax, framesMax } from "./limits.ts";

/** Kinds of columns in a block of format version 2. */
export const columnKind = { const: 0, dict: 1, ints: 2, list: 3, templates: 4, sparse: 5 } as const;

const hasFilter = 8;
const hasBounds = 16;
const hasCounts = 32;

/** What a block's header says of one field. */
export interface FieldHead {
  readonly name: string;
  readonly kind: number;
  readonly column: ColumnRef;
  readonly filter: PayloadRef | undefined;
  /** Every value is a number within these. */
  readonly bounds: Bounds | undefined;
  /** How many rows have each value of a dictionary. */
  readonly counts: readonly number[] | undefined;
}

/** The header of a block of format version 2. */
export interface BlockHeader {
  readonly rowCount: number;
  /** Canonical texts, in their order. */
  readonly streams: readonly string[];
  readonly hasNs: boolean;
  /** Stream codes, times and positions, one behind the other. */
  readonly rows: ColumnRef;
  readonly fields: readonly FieldHead[];
  readonly frames: readonly ChunkRef[];
}

export interface FieldFlags {
  readonly name: string;
  readonly kind: number;
  readonly hasFilter: boolean;
  readonly bounds: Bounds | undefined;
  readonly counts: ArrayLike<number> | undefined;
}

/** Writes what comes before a field's filter and column, which follow in this order. */
export function writeFieldStart(out: ByteWriter, field: FieldFlags): void {
  const { bounds, counts } = field;
  out.text(field.name);
  out.varint(
    field.kind +
      (field.hasFilter ? hasFilter : 0) +
      (bounds === undefined ? 0 : hasBounds) +
      (counts === undefined ? 0 : hasCounts),
  );
  if (bounds !== undefined) {
    out.f64(bounds.min);
    out.f64(bounds.max);
  }
  if (counts === undefined) return;
  out.varint(counts.length);
  for (let i = 0; i < counts.length; i++) out.varint(counts[i]!);
}

export interface HeaderParts {
  readonly rowCount: number;
  readonly streams: readonly string[];
  readonly hasNs: boolean;
  /** As `FrameWriter.end` wrote it. */
  readonly rows: Buffer;
  readonly fieldCount: number;
  readonly fields: Buffer;
  readonly frames: readonly ChunkRef[];
}

export function writeBlockHeader(out: ByteWriter, parts: HeaderParts): void {
  out.varint(parts.rowCount);
  out.varint(parts.streams.length);
  for (const text of parts.streams) out.text(text);
  out.varint(parts.hasNs ? 1 : 0);
  out.varint(parts.frames.length);
  for (const frame of parts.frames) writeChunkRef(out, frame);
  out.raw(parts.rows);
  out.varint(parts.fieldCount);
  out.raw(parts.fields);
}

export function parseBlockHeader(bytes: Buffer): BlockHeader {
  const from = new ByteReader(bytes);
  const rowCount = from.count(blockRowsMax);
  checkStored(rowCount > 0, "a block has no rows");
  const streamCount = from.count(blockStreamsMax);
  checkStored(streamCount > 0 && streamCount <= rowCount, "a block's stream count is wrong");
  const streams = Array.from({ length: streamCount }, () => from.text());
  const hasNs = from.count(1) === 1;
  const frameCount = from.count(framesMax);
  const frames = Array.from({ length: frameCount }, () => readChunkRef(from));
  const rows = readColumnRef(from);
  const fieldCount = from.count(columnsMax);
  const fields = Array.from({ length: fieldCount }, () => readField(from, rowCount));
  checkStored(from.isAtEnd, "a block's header is longer than what it says");
  return { rowCount, streams, hasNs, rows, fields, frames };
}

function readField(from: ByteReader, rowCount: number): FieldHead {
  const name = from.text();
  const tag = from.count(63);
  const bounds = (tag & hasBounds) === 0 ? undefined : { min: from.f64(), max: from.f64() };
  const counts = (tag & hasCounts) === 0 ? undefined : readCounts(from, rowCount);
  const filter = (tag & hasFilter) === 0 ? undefined : readPayloadRef(from);
  return { name, kind: tag & 7, column: readColumnRef(from), filter, bounds, counts };
}

function readCounts(from: ByteReader, rowCount: number): readonly number[] {
  const counts = Array.from({ length: from.count(256) }, () => from.count(rowCount));
  const sum = counts.reduce((total, count) => total + count, 0);
  checkStored(sum === rowCount, "the counts of a column do not add up");
  return counts;
}
