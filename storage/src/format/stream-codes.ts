import type { Codes } from "../../../kit/src/block.ts";
import { checkStored } from "./damage.ts";

/** Bytes of a stream's code in a block of so many streams. */
export function streamCodeBytes(count: number): number {
  return count <= 256 ? 1 : 2;
}

/** The streams of a block's rows by time, and so where each of these rows lies in the block. */
export interface RowsByTime {
  /** Of the rows as they lie in the block; undefined for a single stream. */
  readonly codes: Codes | undefined;
  /** Place of each row by time; undefined: they lie by time. */
  readonly places: Uint32Array | undefined;
}

/** Bytes of the codes of `count` streams. */
export function streamCodesLength(count: number, rowCount: number): number {
  return count === 1 ? 0 : rowCount * streamCodeBytes(count);
}

/** Reads the codes of `count` streams, all bytes of one weight together. Rows lie by stream, and in it by time. */
export function readStreamCodes(bytes: Buffer, count: number, rowCount: number): RowsByTime {
  if (count === 1) return { codes: undefined, places: undefined };
  const width = streamCodeBytes(count);
  const starts = new Uint32Array(count + 1);
  const byTime = new Uint32Array(rowCount);
  let codeMax = 0;
  for (let i = 0; i < rowCount; i++) {
    const code = width === 1 ? bytes[i]! : bytes[i]! | (bytes[rowCount + i]! << 8);
    if (code > codeMax) codeMax = code;
    byTime[i] = code;
  }
  checkStored(codeMax < count, "the stream codes of a block are wrong", { codeMax, count });
  for (let i = 0; i < rowCount; i++) starts[byTime[i]! + 1]!++;
  for (let code = 1; code <= count; code++) starts[code]! += starts[code - 1]!;
  const codes = width === 1 ? new Uint8Array(rowCount) : new Uint16Array(rowCount);
  for (let code = 0; code < count; code++) codes.fill(code, starts[code]!, starts[code + 1]!);
  const places = new Uint32Array(rowCount);
  for (let i = 0; i < rowCount; i++) places[i] = starts[byTime[i]!]!++;
  return { codes, places };
}

/** The numbers of rows by time, as the rows lie in the block. */
export function placedRows(numbers: Float64Array, places: Uint32Array | undefined): Float64Array {
  if (places === undefined) return numbers;
  const out = new Float64Array(numbers.length);
  for (let i = 0; i < out.length; i++) out[places[i]!] = numbers[i]!;
  return out;
}
