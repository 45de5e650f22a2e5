import type { Codes } from "../../../kit/src/block.ts";
import type { ByteWriter } from "./byte-writer.ts";
import { checkStored } from "./damage.ts";
import { blockRowsMax } from "./limits.ts";
import type { ColumnSource, PayloadWriter } from "./streams.ts";

/**
 * Codes of a dictionary. `runs`: how long each code stays, and the code; `bytes`: one byte each, for zstd; `recent`:
 * for dictionaries in order of first appearance, 0 for the next new code, else how far back from the newest, in two
 * planes: what repeats soon is small; `planes`: two bytes each, all low ones first. With `order`, what follows each other is row `order[i]`.
 */
const mode = { runs: 0, bytes: 1, recent: 2, planes: 3 } as const;

/** A run costs about so many bytes before zstd, and a tenth of a byte is what a repeated code costs after it. */
const rowsOfRun = 12;

export function writeCodes(
  codes: Uint16Array,
  count: number,
  valueCount: number,
  order: Uint32Array | undefined,
  out: ByteWriter,
  text: PayloadWriter,
): void {
  const runs = runsOf(codes, count);
  const ordered = order === undefined ? codes : inOrder(codes, count, order);
  const runsOrdered = order === undefined ? runs : runsOf(ordered, count);
  const how = modeOf(Math.min(runs, runsOrdered), valueCount, count);
  const isOrdered = how !== mode.recent && runsOrdered < runs;
  const own = isOrdered ? ordered : codes;
  out.varint(how * 2 + (isOrdered ? 1 : 0));
  if (how === mode.runs) writeRuns(own, count, text);
  else if (how === mode.bytes) writeBytes(own, count, text);
  else if (how === mode.recent) writeRecent(own, count, text);
  else writePlanes(own, count, text);
}

/** Memory for codes in another order. Blocks have no more rows. */
const reordered = new Uint16Array(blockRowsMax);

function inOrder(codes: Uint16Array, count: number, order: Uint32Array): Uint16Array {
  for (let i = 0; i < count; i++) reordered[i] = codes[order[i]!]!;
  return reordered;
}

export function readCodes(
  { head, text }: ColumnSource,
  valueCount: number,
  rowCount: number,
  order: () => Uint32Array,
): Codes {
  const tag = head.count(7);
  const codes = emptyCodes(valueCount, rowCount);
  const how = tag >>> 1;
  if (how === mode.runs) readRuns(codes, text);
  else if (how === mode.bytes) codes.set(text.take(rowCount));
  else if (how === mode.recent) readRecent(codes, text.take(rowCount * 2));
  else readPlanes(codes, text.take(rowCount * 2));
  const codeMax = maxOf(codes);
  checkStored(codeMax < valueCount, "the codes of a column are wrong", { codeMax, valueCount });
  return (tag & 1) === 0 ? codes : placed(codes, order());
}

/** Leaves out what `readCodes` would read. */
export function skipCodes({ head, text }: ColumnSource, rowCount: number): void {
  const how = head.count(7) >>> 1;
  if (how !== mode.runs) {
    text.take(how === mode.bytes ? rowCount : rowCount * 2);
    return;
  }
  for (let at = 0; at < rowCount; ) {
    text.varint();
    const length = text.varint();
    checkStored(length > 0, "the runs of a column are wrong");
    at += length;
  }
}

// Loops over one type of array each: over several they take twice as long.

function maxOf(codes: Codes): number {
  if (codes instanceof Uint8Array) return maxOf8(codes);
  return codes instanceof Uint16Array ? maxOf16(codes) : maxOf32(codes);
}

function maxOf8(codes: Uint8Array): number {
  let max = 0;
  for (let i = 0; i < codes.length; i++) if (codes[i]! > max) max = codes[i]!;
  return max;
}

function maxOf16(codes: Uint16Array): number {
  let max = 0;
  for (let i = 0; i < codes.length; i++) if (codes[i]! > max) max = codes[i]!;
  return max;
}

function maxOf32(codes: Uint32Array): number {
  let max = 0;
  for (let i = 0; i < codes.length; i++) if (codes[i]! > max) max = codes[i]!;
  return max;
}

/** Code i at place `places[i]`. */
function placed(codes: Codes, places: Uint32Array): Codes {
  const { length } = codes;
  if (codes instanceof Uint8Array) return place8(codes, places, new Uint8Array(length));
  if (codes instanceof Uint16Array) return place16(codes, places, new Uint16Array(length));
  return place32(codes, places, new Uint32Array(length));
}

function place8(codes: Uint8Array, places: Uint32Array, out: Uint8Array): Uint8Array {
  for (let i = 0; i < codes.length; i++) out[places[i]!] = codes[i]!;
  return out;
}

function place16(codes: Uint16Array, places: Uint32Array, out: Uint16Array): Uint16Array {
  for (let i = 0; i < codes.length; i++) out[places[i]!] = codes[i]!;
  return out;
}

function place32(codes: Uint32Array, places: Uint32Array, out: Uint32Array): Uint32Array {
  for (let i = 0; i < codes.length; i++) out[places[i]!] = codes[i]!;
  return out;
}

function modeOf(runs: number, valueCount: number, rowCount: number): number {
  if (runs * rowsOfRun <= rowCount) return mode.runs;
  if (valueCount <= 256) return mode.bytes;
  // Most of many values are there but a few times, and soon again or not at all.
  return valueCount * 8 > rowCount ? mode.recent : mode.planes;
}

function emptyCodes(valueCount: number, rowCount: number): Codes {
  if (valueCount <= 256) return new Uint8Array(rowCount);
  return valueCount <= 65_536 ? new Uint16Array(rowCount) : new Uint32Array(rowCount);
}

function runsOf(codes: Uint16Array, count: number): number {
  let runs = 1;
  for (let i = 1; i < count; i++) if (codes[i] !== codes[i - 1]) runs++;
  return runs;
}

function writeRuns(codes: Uint16Array, count: number, text: PayloadWriter): void {
  let from = 0;
  for (let i = 1; i <= count; i++) {
    if (i < count && codes[i] === codes[from]) continue;
    text.varint(codes[from]!);
    text.varint(i - from);
    from = i;
  }
}

function readRuns(codes: Codes, text: { varint(): number }): void {
  let at = 0;
  while (at < codes.length) {
    const code = text.varint();
    const length = text.varint();
    const isRight = length > 0 && at + length <= codes.length && code < 2 ** 32;
    checkStored(isRight, "the runs of a column are wrong");
    // What does not fit the array's type would be cut to a code that is right.
    checkStored(code < 256 ** codes.BYTES_PER_ELEMENT, "the codes of a column are wrong");
    codes.fill(code, at, at + length);
    at += length;
  }
}

function writeBytes(codes: Uint16Array, count: number, text: PayloadWriter): void {
  const { bytes, at } = text.reserve(count);
  for (let i = 0; i < count; i++) bytes[at + i] = codes[i]!;
}

function writePlanes(codes: Uint16Array, count: number, text: PayloadWriter): void {
  const { bytes, at } = text.reserve(count * 2);
  for (let i = 0; i < count; i++) {
    const code = codes[i]!;
    bytes[at + i] = code;
    bytes[at + count + i] = code >>> 8;
  }
}

function readPlanes(codes: Codes, planes: Buffer): void {
  const count = codes.length;
  for (let i = 0; i < count; i++) codes[i] = planes[i]! | (planes[count + i]! << 8);
}

function writeRecent(codes: Uint16Array, count: number, text: PayloadWriter): void {
  const { bytes, at } = text.reserve(count * 2);
  let next = 0;
  for (let i = 0; i < count; i++) {
    const code = codes[i]!;
    // Distances are below 65,536: so many codes there are at most.
    const back = code === next ? 0 : (next - code) & 0xffff;
    if (code === next) next++;
    bytes[at + i] = back;
    bytes[at + count + i] = back >>> 8;
  }
}

function readRecent(codes: Codes, planes: Buffer): void {
  const count = codes.length;
  let next = 0;
  for (let i = 0; i < count; i++) {
    const back = planes[i]! | (planes[count + i]! << 8);
    codes[i] = back === 0 ? next++ : (next - back) & 0xffff;
  }
}
