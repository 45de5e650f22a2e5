import type { ByteWriter } from "./byte-writer.ts";
import { writeCodes } from "./code-list.ts";
import { hexOf, writeHex } from "./hex-list.ts";
import { writeInts } from "./int-list.ts";
import {
  blockRowsMax,
  dictShareMax,
  listDictValuesMax,
  listRowsTyped,
  shapesMax,
} from "./limits.ts";
import type { PayloadWriter } from "./streams.ts";
import { addWordsOf, type WordSet } from "./token-filter.ts";
import { ValueShape } from "./value-shape.ts";
import { ValueTable } from "./value-table.ts";
import { hashOf, isSame } from "./words.ts";

/** Values that lie in bytes: value i is `bytes[starts[i] … ends[i])`. */
export interface Ranges {
  readonly bytes: Buffer;
  /** Of the same bytes. */
  readonly view: DataView;
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
  readonly count: number;
}

/** How a list of values lies; see the functions below. */
export const listKind = { const: 0, text: 1, hex: 2, shapes: 3, dict: 4 } as const;

/** What a list is written into. */
export interface ListOutput {
  readonly out: ByteWriter;
  readonly packed: PayloadWriter;
  readonly text: PayloadWriter;
}

/**
 * Writes values in the way that makes them smallest: one value, text, hexadecimal digits, numbers within fixed
 * text, or a dictionary. Their words go to `words`, those of repeated values once.
 */
export function writeList(list: Ranges, to: ListOutput, words?: WordSet): void {
  const { bytes, starts, ends, count } = list;
  if (isConst(list)) {
    to.out.varint(listKind.const);
    to.out.range(bytes, starts[0]!, ends[0]!);
    if (words !== undefined) addWordsOf(bytes, starts[0]!, ends[0]!, words);
    return;
  }
  if (count < listRowsTyped) {
    writeText(list, to, words);
    return;
  }
  if (hasFewValues(list) && writeDict(list, to, words)) return;
  const hex = hexOf(list);
  if (hex !== undefined) {
    to.out.varint(listKind.hex);
    writeHex(list, hex, to);
  } else {
    const shapeCount = findShapes(list);
    if (shapeCount === 0) {
      if (!writeDict(list, to, words)) writeText(list, to, words);
      return;
    }
    writeShapes(shapeCount, count, to);
  }
  if (words !== undefined) addAllWords(list, words);
}

function addAllWords({ bytes, starts, ends, count }: Ranges, words: WordSet): void {
  for (let i = 0; i < count; i++) addWordsOf(bytes, starts[i]!, ends[i]!, words);
}

function isConst({ view, starts, ends, count }: Ranges): boolean {
  const from = starts[0]!;
  const length = ends[0]! - from;
  for (let i = 1; i < count; i++) {
    if (ends[i]! - starts[i]! !== length) return false;
    if (!isSame(view, from, length, view, starts[i]!)) return false;
  }
  return true;
}

/** Lengths as varints, then the bytes. */
function writeText(list: Ranges, { out, text }: ListOutput, words?: WordSet): void {
  out.varint(listKind.text);
  const { bytes, view, starts, ends, count } = list;
  let length = 0;
  for (let i = 0; i < count; i++) {
    text.varint(ends[i]! - starts[i]!);
    length += ends[i]! - starts[i]!;
  }
  out.varint(length);
  for (let i = 0; i < count; i++) text.copyText(bytes, view, starts[i]!, ends[i]!);
  if (words !== undefined) addAllWords(list, words);
}

/*
 * Memory for list after list: a list is written whole before the next, and most are so short that memory of their own
 * would cost more than they do.
 */
const distinctOf = new ValueTable();
const dictCodes = new Uint16Array(blockRowsMax);
/** Apart from the codes of a dictionary, whose values may have shapes. */
const shapeCodes = new Uint16Array(blockRowsMax);
const shapesWritten: readonly ValueShape[] = Array.from(
  { length: shapesMax },
  () => new ValueShape(),
);

const sampleMax = 64;
const sampleDistinctMax = 16;
const sample = new Int32Array(sampleDistinctMax);

/** A look at the first values: few different ones mean a dictionary, whatever they are. */
function hasFewValues({ view, starts, ends, count }: Ranges): boolean {
  if (count < sampleMax) return false;
  let size = 0;
  for (let i = 0; i < sampleMax; i++) {
    const hash = hashOf(view, starts[i]!, ends[i]!);
    let at = 0;
    while (at < size && sample[at] !== hash) at++;
    if (at < size) continue;
    if (size === sampleDistinctMax) return false;
    sample[size++] = hash;
  }
  return true;
}

/** False when there are too many different values for a dictionary to pay. */
function writeDict(list: Ranges, to: ListOutput, words?: WordSet): boolean {
  const isDict = findDistinct(list);
  if (isDict) {
    const distinct = distinctOf.ranges();
    to.out.varint(listKind.dict);
    to.out.varint(distinct.count);
    writeDistinct(distinct, to, words);
    writeCodes(dictCodes, list.count, distinct.count, undefined, to.out, to.text);
  }
  return isDict;
}

/** Numbers the different values; false when there are too many. */
function findDistinct({ bytes, view, starts, ends, count }: Ranges): boolean {
  const table = distinctOf;
  table.clear();
  for (let i = 0; i < count; i++) {
    dictCodes[i] = table.codeOf(bytes, view, starts[i]!, ends[i]!);
    // Early enough to spare the work, late enough to have met repeated values.
    if (i === 255 && table.size > 200) return false;
    if (table.size > listDictValuesMax) return false;
  }
  return table.size <= count * dictShareMax;
}

/** Values that differ from each other. */
export function writeDistinct(list: Ranges, to: ListOutput, words?: WordSet): void {
  const hex = list.count < listRowsTyped ? undefined : hexOf(list);
  const shapeCount = list.count < listRowsTyped || hex !== undefined ? 0 : findShapes(list);
  if (hex === undefined && shapeCount === 0) {
    writeText(list, to, words);
    return;
  }
  if (hex !== undefined) {
    to.out.varint(listKind.hex);
    writeHex(list, hex, to);
  } else writeShapes(shapeCount, list.count, to);
  if (words !== undefined) addAllWords(list, words);
}

/** Sorts the values into shapes, and says how many those are; 0 when they have none or more than there may be. */
function findShapes({ bytes, starts, ends, count }: Ranges): number {
  let shapeCount = 0;
  let code = 0;
  for (let i = 0; i < count; i++) {
    const start = starts[i]!;
    const end = ends[i]!;
    if (shapeCount === 0 || !shapesWritten[code]!.takes(bytes, start, end)) {
      code = 0;
      while (code < shapeCount && !shapesWritten[code]!.takes(bytes, start, end)) code++;
      if (code === shapeCount) {
        if (shapeCount === shapesMax) return 0;
        const shape = shapesWritten[code]!;
        if (!shape.learn(bytes, start, end, count) || !shape.takes(bytes, start, end)) return 0;
        shapeCount++;
      }
    }
    shapeCodes[i] = code;
  }
  for (let i = 0; i < shapeCount; i++) if (!shapesWritten[i]!.isPrintable) return 0;
  return shapeCount;
}

function writeShapes(shapeCount: number, count: number, { out, packed, text }: ListOutput): void {
  out.varint(listKind.shapes);
  out.varint(shapeCount);
  if (shapeCount > 1) {
    for (let i = 0; i < shapeCount; i++) out.varint(shapesWritten[i]!.count);
    writeCodes(shapeCodes, count, shapeCount, undefined, out, text);
  }
  for (let i = 0; i < shapeCount; i++) {
    const shape = shapesWritten[i]!;
    shape.writeLiterals(out);
    for (let k = 0; k < shape.runCount; k++) {
      const run = shape.runs[k]!;
      out.varint(run.fixedDigits * 2 + (run.hasHigh ? 1 : 0));
      writeInts(run.low, shape.count, out, packed, text);
      if (run.hasHigh) writeInts(run.high, shape.count, out, packed, text);
    }
  }
}
