import type { Values } from "../../../kit/src/block.ts";
import type { ByteWriter } from "./byte-writer.ts";
import { writeCodes } from "./code-list.ts";
import { hexOf, writeHex } from "./hex-list.ts";
import { writeInts } from "./int-list.ts";
import { dictShareMax, listDictValuesMax, listRowsTyped, shapesMax } from "./limits.ts";
import type { PayloadWriter } from "./streams.ts";
import { addWordsOf, type WordSet } from "./token-filter.ts";
import {
  fixedDigits,
  isPrintable,
  scratch,
  shapeOf,
  type ValueShape,
  writeLiterals,
} from "./value-shape.ts";
import { ValueTable } from "./value-table.ts";
import { hashOf, isSame, viewOf } from "./words.ts";

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
    to.out.blob(bytes.subarray(starts[0], ends[0]));
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
    const shapes = shapesOf(list);
    if (shapes === undefined) {
      if (!writeDict(list, to, words)) writeText(list, to, words);
      return;
    }
    writeShapes(shapes, to);
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
  const { bytes, starts, ends, count } = list;
  let length = 0;
  for (let i = 0; i < count; i++) {
    text.varint(ends[i]! - starts[i]!);
    length += ends[i]! - starts[i]!;
  }
  out.varint(length);
  for (let i = 0; i < count; i++) text.copy(bytes, starts[i]!, ends[i]!);
  if (words !== undefined) addAllWords(list, words);
}

/** One table for list after list: a list is written whole before the next, and most are short. */
const tables = new ValueTable();

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
  const table = tables;
  const codes = new Uint32Array(list.count);
  const isDict = codesOf(list, table, codes);
  const values = isDict ? table.values() : undefined;
  // It holds on to the bytes that it has seen.
  table.clear();
  if (values === undefined) return false;
  writeValuesAndCodes(values, codes, to, words);
  return true;
}

function codesOf(
  { bytes, starts, ends, count }: Ranges,
  table: ValueTable,
  codes: Uint32Array,
): boolean {
  for (let i = 0; i < count; i++) {
    codes[i] = table.codeOf(bytes, starts[i]!, ends[i]!);
    // Early enough to spare the work, late enough to have met repeated values.
    if (i === 255 && table.size > 200) return false;
    if (table.size > listDictValuesMax) return false;
  }
  return table.size <= count * dictShareMax;
}

function writeValuesAndCodes(
  values: Values,
  codes: Uint32Array,
  to: ListOutput,
  words: WordSet | undefined,
): void {
  const size = values.offsets.length - 1;
  to.out.varint(listKind.dict);
  to.out.varint(size);
  const distinct = {
    bytes: values.bytes,
    view: viewOf(values.bytes),
    starts: values.offsets.subarray(0, size),
    ends: values.offsets.subarray(1),
    count: size,
  };
  writeDistinct(distinct, to, words);
  writeCodes(codes, size, undefined, to.out, to.text);
}

/** Values that differ from each other. */
export function writeDistinct(list: Ranges, to: ListOutput, words?: WordSet): void {
  const hex = list.count < listRowsTyped ? undefined : hexOf(list);
  const shapes = list.count < listRowsTyped || hex !== undefined ? undefined : shapesOf(list);
  if (hex === undefined && shapes === undefined) {
    writeText(list, to, words);
    return;
  }
  if (hex !== undefined) {
    to.out.varint(listKind.hex);
    writeHex(list, hex, to);
  } else writeShapes(shapes!, to);
  if (words !== undefined) addAllWords(list, words);
}

interface Shaped {
  readonly shapes: readonly ValueShape[];
  /** Shape of each value. */
  readonly codes: Uint8Array;
}

/** The values as a few shapes; undefined when they have none or more. */
function shapesOf({ bytes, starts, ends, count }: Ranges): Shaped | undefined {
  scratch.reset();
  const shapes: ValueShape[] = [];
  const codes = new Uint8Array(count);
  let code = 0;
  for (let i = 0; i < count; i++) {
    const start = starts[i]!;
    const end = ends[i]!;
    if (shapes.length > 0 && shapes[code]!.takes(bytes, start, end)) {
      codes[i] = code;
      continue;
    }
    code = shapes.findIndex((shape) => shape.takes(bytes, start, end));
    if (code < 0) {
      const shape = shapes.length < shapesMax ? shapeOf(bytes, start, end, count) : undefined;
      if (shape === undefined || !shape.takes(bytes, start, end)) return undefined;
      code = shapes.push(shape) - 1;
    }
    codes[i] = code;
  }
  return shapes.every(isPrintable) ? { shapes, codes } : undefined;
}

function writeShapes({ shapes, codes }: Shaped, { out, packed, text }: ListOutput): void {
  out.varint(listKind.shapes);
  out.varint(shapes.length);
  if (shapes.length > 1) {
    for (const { count } of shapes) out.varint(count);
    writeCodes(codes, shapes.length, undefined, out, text);
  }
  for (const shape of shapes) {
    writeLiterals(shape, out);
    for (const run of shape.runs) {
      out.varint(fixedDigits(run) * 2 + (run.high === undefined ? 0 : 1));
      writeInts(run.low, 0, shape.count, out, packed, text);
      if (run.high !== undefined) writeInts(run.high, 0, shape.count, out, packed, text);
    }
  }
}
