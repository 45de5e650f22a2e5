import type { Codes, Column, Values } from "../../../../kit/src/block.ts";
import type { DecodedColumn } from "../block-content.ts";
import type { ChunkRef } from "../chunk.ts";
import { NumberColumn, PlainColumn } from "../columns.ts";
import { checkStored } from "../damage.ts";
import { unpackIntegers } from "../integers.ts";
import { chunkBytesMax } from "../limits.ts";
import type { ColumnMeta } from "./block-header.ts";

/** Gives the raw bytes of a chunk, checked. */
export type ReadChunk = (ref: ChunkRef) => Buffer;

/** Decodes a column of so many rows; `storage.damaged` when it cannot be what was written. */
export function decodeColumn(meta: ColumnMeta, rowCount: number, read: ReadChunk): DecodedColumn {
  switch (meta.kind) {
    case "const": {
      // A copy, so that the value does not keep the whole header alive.
      const bytes = Buffer.from(meta.value);
      const offsets = Uint32Array.of(0, bytes.length);
      return sized(new PlainColumn("const", { bytes, offsets }), bytes.length + 200);
    }
    case "dict": {
      const values = decodeDict(meta, read);
      const codes = decodeCodes(read(meta.codes), meta.count, rowCount);
      const column = new PlainColumn("dict", values, codes);
      return sized(column, codes.byteLength + values.bytes.length + meta.count * 12 + 300);
    }
    case "numbers": {
      const numbers = unpackIntegers(read(meta.numbers), rowCount);
      checkStored(numbers.every(Number.isSafeInteger), "a column of whole numbers has others");
      return sized(new NumberColumn(numbers, meta.absent), rowCount * 28 + 300);
    }
    case "text": {
      const values = decodeText(meta, rowCount, read);
      return sized(new PlainColumn("rows", values), values.bytes.length + rowCount * 12 + 300);
    }
  }
}

function decodeDict(meta: ColumnMeta & { kind: "dict" }, read: ReadChunk): Values {
  const packed = meta.values instanceof Uint8Array ? Buffer.from(meta.values) : read(meta.values);
  checkStored(packed.length >= 4, "a dictionary is cut short");
  const lengthsEnd = 4 + packed.readUInt32LE(0);
  checkStored(lengthsEnd <= packed.length, "a dictionary is cut short");
  const lengths = unpackIntegers(packed.subarray(4, lengthsEnd), meta.count);
  const bytes = packed.subarray(lengthsEnd);
  return { bytes, offsets: offsetsOf(lengths, bytes.length) };
}

function sized(column: Column, bytes: number): DecodedColumn {
  return { column, bytes };
}

function decodeCodes(bytes: Buffer, count: number, rowCount: number): Codes {
  const width = count <= 256 ? 1 : 2;
  checkStored(bytes.length === rowCount * width, "a column has not a code for each row");
  const aligned =
    bytes.byteOffset % width === 0 ? bytes : Buffer.from(new Uint8Array(bytes).buffer);
  const codes =
    width === 1
      ? new Uint8Array(aligned.buffer, aligned.byteOffset, rowCount)
      : new Uint16Array(aligned.buffer, aligned.byteOffset, rowCount);
  let codeMax = 0;
  for (let i = 0; i < rowCount; i++) if (codes[i]! > codeMax) codeMax = codes[i]!;
  checkStored(codeMax < count, "the codes of a column are wrong", { codeMax, count });
  return codes;
}

function decodeText(
  meta: ColumnMeta & { kind: "text" },
  rowCount: number,
  read: ReadChunk,
): Values {
  const lengths = unpackIntegers(read(meta.lengths), rowCount);
  const length = meta.frames.reduce((sum, frame) => sum + frame.rawLength, 0);
  checkStored(length <= chunkBytesMax, "a column is too large", { length });
  const offsets = offsetsOf(lengths, length);
  const only = meta.frames[0];
  if (meta.frames.length === 1 && only !== undefined) return { bytes: read(only), offsets };
  const bytes = Buffer.allocUnsafeSlow(length);
  let at = 0;
  for (const frame of meta.frames) at += read(frame).copy(bytes, at);
  return { bytes, offsets };
}

function offsetsOf(lengths: Float64Array, total: number): Uint32Array {
  const offsets = new Uint32Array(lengths.length + 1);
  let end = 0;
  let inOrder = true;
  for (let i = 0; i < lengths.length; i++) {
    const length = lengths[i]!;
    if (!(length >= 0)) inOrder = false;
    end += length;
    offsets[i + 1] = end;
  }
  checkStored(inOrder && end === total, "the lengths of a column do not add up", { end, total });
  return offsets;
}
