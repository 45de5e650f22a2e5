import type { Bounds, Values } from "../../../kit/src/block.ts";
import type { ColumnMeta, FieldMeta, FrameRef } from "./block-header.ts";
import type { ChunkWriter } from "./chunk.ts";
import type { Gathered } from "./gather.ts";
import { packIntegers } from "./integers.ts";
import { dictBytesInline, dictValuesSearched, frameBytes } from "./limits.ts";
import { numberAt } from "./numbers.ts";
import { buildTokenFilter } from "./token-filter.ts";
import { parseWholeNumbers, type WholeNumbers } from "./whole-numbers.ts";

/** Writes one field's values into chunks, in the way that suits them; undefined when all are empty. */
export function encodeField(gathered: Gathered, chunks: ChunkWriter): FieldMeta | undefined {
  const { values } = gathered;
  if (values.bytes.length === 0) return undefined;
  if (gathered.kind === "dict") {
    const count = values.offsets.length - 1;
    if (count === 1) {
      return {
        column: { kind: "const", value: values.bytes },
        filter: undefined,
        bounds: boundsOf(values),
      };
    }
    const whole = count > 256 ? parseWholeNumbers(values) : undefined;
    if (whole !== undefined) return encodeNumbers(spreadNumbers(whole, gathered.codes), chunks);
    return encodeDict(values, gathered.codes, chunks);
  }
  const whole = parseWholeNumbers(values);
  if (whole !== undefined) return encodeNumbers(whole, chunks);
  return {
    column: encodeText(values, chunks),
    filter: chunks.add(buildTokenFilter(values)),
    bounds: boundsOf(values),
  };
}

function spreadNumbers(distinct: WholeNumbers, codes: Uint32Array): WholeNumbers {
  const numbers = new Float64Array(codes.length);
  for (let i = 0; i < codes.length; i++) numbers[i] = distinct.numbers[codes[i]!]!;
  return { ...distinct, numbers };
}

function encodeNumbers(whole: WholeNumbers, chunks: ChunkWriter): FieldMeta {
  const { numbers, absent, min, max } = whole;
  return {
    column: { kind: "numbers", numbers: chunks.add(packIntegers(numbers)), absent },
    filter: undefined,
    bounds: absent === undefined ? { min, max } : undefined,
  };
}

function encodeDict(values: Values, codes: Uint32Array, chunks: ChunkWriter): FieldMeta {
  const count = values.offsets.length - 1;
  const packed = packDict(values);
  const narrow = count <= 256 ? Uint8Array.from(codes) : Uint16Array.from(codes);
  return {
    column: {
      kind: "dict",
      count,
      values: packed.length <= dictBytesInline ? packed : chunks.add(packed),
      codes: chunks.add(Buffer.from(narrow.buffer)),
    },
    filter: count > dictValuesSearched ? chunks.add(buildTokenFilter(values)) : undefined,
    bounds: boundsOf(values),
  };
}

/** The lengths as packed integers behind their own length (u32), then the bytes. */
function packDict(values: Values): Buffer {
  const lengths = packIntegers(lengthsOf(values.offsets));
  const size = Buffer.allocUnsafe(4);
  size.writeUInt32LE(lengths.length);
  return Buffer.concat([size, lengths, values.bytes]);
}

function encodeText({ bytes, offsets }: Values, chunks: ChunkWriter): ColumnMeta {
  const lengths = chunks.add(packIntegers(lengthsOf(offsets)));
  const rowCount = offsets.length - 1;
  const frames: FrameRef[] = [];
  let from = 0;
  for (let row = 1; row <= rowCount; row++) {
    const start = offsets[from]!;
    const end = offsets[row]!;
    if (end - start < frameBytes && row < rowCount) continue;
    frames.push({ rowsEnd: row, ...chunks.add(bytes.subarray(start, end)) });
    from = row;
  }
  return { kind: "text", lengths, frames };
}

function lengthsOf(offsets: Uint32Array): Float64Array {
  const lengths = new Float64Array(offsets.length - 1);
  for (let i = 0; i < lengths.length; i++) lengths[i] = offsets[i + 1]! - offsets[i]!;
  return lengths;
}

/** Of the values, if each of them is a number. */
function boundsOf({ bytes, offsets }: Values): Bounds | undefined {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < offsets.length - 1; i++) {
    const number = numberAt(bytes, offsets[i]!, offsets[i + 1]!);
    if (Number.isNaN(number)) return undefined;
    if (number < min) min = number;
    if (number > max) max = number;
  }
  return { min, max };
}
