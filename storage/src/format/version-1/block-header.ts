import type { Bounds } from "../../../../kit/src/block.ts";
import { ByteReader } from "../byte-reader.ts";
import { type ChunkRef, readChunkRef } from "../chunk.ts";
import { checkStored, damaged } from "../damage.ts";
import { blockRowsMax, blockStreamsMax, columnsMax, dictValuesMax } from "../limits.ts";

/** How a column lies in a block; chunks are relative to the block's start. */
export type ColumnMeta =
  | { readonly kind: "const"; readonly value: Buffer }
  | {
      readonly kind: "dict";
      readonly count: number;
      /** The values (see `packDict`), in place or as a chunk. */
      readonly values: Buffer | ChunkRef;
      /** u8, or u16 when there are more than 256 values. */
      readonly codes: ChunkRef;
    }
  | { readonly kind: "numbers"; readonly numbers: ChunkRef; readonly absent: number | undefined }
  | {
      readonly kind: "text";
      /** Packed integers, one for each row. */
      readonly lengths: ChunkRef;
      readonly frames: readonly FrameRef[];
    };

/** Values of the rows up to `rowsEnd`, from the end of the frame before. */
export interface FrameRef extends ChunkRef {
  readonly rowsEnd: number;
}

/** What a block's header says of one field. */
export interface FieldMeta {
  readonly column: ColumnMeta;
  readonly filter: ChunkRef | undefined;
  /** Every value is a number within these. */
  readonly bounds: Bounds | undefined;
}

export interface BlockHeader {
  readonly rowCount: number;
  /** Canonical texts, in their order. */
  readonly streams: readonly string[];
  /** Packed integers; undefined for a single stream. */
  readonly streamCodes: ChunkRef | undefined;
  readonly timesMs: ChunkRef;
  /** Undefined when all are zero. */
  readonly timesNs: ChunkRef | undefined;
  readonly positions: ChunkRef;
  readonly fields: ReadonlyMap<string, FieldMeta>;
}

const kinds = ["const", "dict", "numbers", "text"] as const;
const hasFilter = 8;
const hasBounds = 16;
/** The dictionary's values lie in place; the numbers have an absent one. */
const hasMore = 32;

export function parseBlockHeader(bytes: Buffer): BlockHeader {
  const from = new ByteReader(bytes);
  const rowCount = from.count(blockRowsMax);
  checkStored(rowCount > 0, "a block has no rows");
  const streamCount = from.count(blockStreamsMax);
  checkStored(streamCount > 0 && streamCount <= rowCount, "a block's stream count is wrong");
  const streams = Array.from({ length: streamCount }, () => from.text());
  const streamCodes = streamCount > 1 ? readChunkRef(from) : undefined;
  const timesMs = readChunkRef(from);
  const timesNs = from.count(1) === 1 ? readChunkRef(from) : undefined;
  const positions = readChunkRef(from);
  const fieldCount = from.count(columnsMax);
  const fields = new Map<string, FieldMeta>();
  for (let i = 0; i < fieldCount; i++) fields.set(from.text(), readField(from, rowCount));
  checkStored(from.isAtEnd, "a block's header is longer than what it says");
  return { rowCount, streams, streamCodes, timesMs, timesNs, positions, fields };
}

function readField(from: ByteReader, rowCount: number): FieldMeta {
  const tag = from.count(63);
  const filter = (tag & hasFilter) === 0 ? undefined : readChunkRef(from);
  const bounds = (tag & hasBounds) === 0 ? undefined : { min: from.f64(), max: from.f64() };
  const column = readColumn(from, tag & 7, { hasMore: (tag & hasMore) !== 0, rowCount });
  return { column, filter, bounds };
}

function readColumn(
  from: ByteReader,
  kind: number,
  { hasMore, rowCount }: { readonly hasMore: boolean; readonly rowCount: number },
): ColumnMeta {
  switch (kinds[kind]) {
    case "const":
      return { kind: "const", value: from.blob() };
    case "dict": {
      const count = from.count(dictValuesMax);
      const values = hasMore ? from.blob() : readChunkRef(from);
      return { kind: "dict", count, values, codes: readChunkRef(from) };
    }
    case "numbers": {
      const numbers = readChunkRef(from);
      return { kind: "numbers", numbers, absent: hasMore ? from.f64() : undefined };
    }
    case "text": {
      const lengths = readChunkRef(from);
      const frameCount = from.count(rowCount);
      const frames = Array.from({ length: frameCount }, () => ({
        rowsEnd: from.count(rowCount),
        ...readChunkRef(from),
      }));
      return { kind: "text", lengths, frames };
    }
    default:
      throw damaged("a column is of an unknown kind", { kind });
  }
}
