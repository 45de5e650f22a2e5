import type { Bounds, Values } from "../../../kit/src/block.ts";
import { columnKind, type FieldFlags, writeFieldStart } from "./block-header.ts";
import type { ByteWriter } from "./byte-writer.ts";
import { writeCodes } from "./code-list.ts";
import type { FrameWriter } from "./frames.ts";
import type { Gathered } from "./gather.ts";
import { writeInts } from "./int-list.ts";
import { codesShare, countedValuesMax, dictValuesSearched } from "./limits.ts";
import { numberAt } from "./numbers.ts";
import { addWordsOf, buildTokenFilter, filterOf, WordSet } from "./token-filter.ts";
import { type Ranges, writeDistinct, writeList } from "./value-list.ts";
import { parseWholeNumbers, type WholeNumbers } from "./whole-numbers.ts";
import { viewOf } from "./words.ts";

/** Writes one field that is not split into templates, in the way that suits its values. */
export function writeField(
  name: string,
  gathered: Gathered,
  frames: FrameWriter,
  order: Uint32Array | undefined,
  to: ByteWriter,
): void {
  if (gathered.kind === "sparse") writeSparse(name, gathered, frames, to);
  else if (gathered.kind === "rows") {
    const whole = parseWholeNumbers(gathered.values);
    if (whole === undefined) writeRows(name, gathered.values, frames, to);
    else writeNumbers(name, whole, frames, order, to);
  } else writeDict(name, gathered, frames, order, to);
}

function writeDict(
  name: string,
  { values, codes }: Gathered & { kind: "dict" },
  frames: FrameWriter,
  order: Uint32Array | undefined,
  to: ByteWriter,
): void {
  const count = values.offsets.length - 1;
  if (count === 1) {
    writeFieldStart(to, plainFlags(name, columnKind.const, boundsOf(values)));
    frames.begin().out.blob(values.bytes);
    frames.end(to);
    return;
  }
  const whole = count > countedValuesMax ? parseWholeNumbers(values) : undefined;
  if (whole !== undefined && isDense(whole, count, codes.length)) {
    writeNumbers(name, spread(whole, codes), frames, order, to);
    return;
  }
  const filter = count > dictValuesSearched ? buildTokenFilter(values) : undefined;
  const counts = count <= countedValuesMax ? countsOf(codes, count) : undefined;
  const bounds = boundsOf(values);
  writeFieldStart(to, {
    name,
    kind: columnKind.dict,
    hasFilter: filter !== undefined,
    bounds,
    counts,
  });
  if (filter !== undefined) frames.addFilter(filter, to);
  const output = frames.begin();
  output.out.varint(count);
  writeDistinct(rangesOf(values), output);
  writeCodes(codes, codes.length, count, order, output.out, output.text);
  frames.end(to);
}

function plainFlags(name: string, kind: number, bounds: Bounds | undefined): FieldFlags {
  return { name, kind, hasFilter: false, bounds, counts: undefined };
}

function rangesOf({ bytes, offsets }: Values): Ranges {
  const count = offsets.length - 1;
  const starts = offsets.subarray(0, count);
  return { bytes, view: viewOf(bytes), starts, ends: offsets.subarray(1), count };
}

function countsOf(codes: ArrayLike<number>, count: number): Uint32Array {
  const counts = new Uint32Array(count);
  for (let i = 0; i < codes.length; i++) counts[codes[i]!]!++;
  return counts;
}

/** Whether numbers of so many rows are smaller as they are than as codes of so many different ones. */
function isDense({ min, max }: WholeNumbers, count: number, rowCount: number): boolean {
  const bits = Math.log2(max - min + 1);
  // Codes follow from the template more often than numbers do, so they take less than their bits.
  return rowCount * bits < count * bits + rowCount * Math.log2(count) * codesShare;
}

function spread(distinct: WholeNumbers, codes: ArrayLike<number>): WholeNumbers {
  const numbers = new Float64Array(codes.length);
  for (let i = 0; i < numbers.length; i++) numbers[i] = distinct.numbers[codes[i]!]!;
  return { ...distinct, numbers };
}

function writeNumbers(
  name: string,
  { numbers, absent, min, max }: WholeNumbers,
  frames: FrameWriter,
  order: Uint32Array | undefined,
  to: ByteWriter,
): void {
  const bounds = absent === undefined ? { min, max } : undefined;
  writeFieldStart(to, plainFlags(name, columnKind.ints, bounds));
  const { out, packed, text } = frames.begin();
  out.varint(absent === undefined ? 0 : 1);
  if (absent === undefined) writeInts(numbers, numbers.length, out, packed, text);
  else {
    const present = new Uint16Array(numbers.length);
    const own = new Float64Array(numbers.length);
    let count = 0;
    for (let i = 0; i < numbers.length; i++) {
      const number = numbers[i]!;
      if (number === absent) continue;
      present[i] = 1;
      own[count++] = number;
    }
    writeCodes(present, present.length, 2, order, out, text);
    out.varint(count);
    writeInts(own, count, out, packed, text);
  }
  frames.end(to);
}

function writeRows(name: string, values: Values, frames: FrameWriter, to: ByteWriter): void {
  const ranges = rangesOf(values);
  const { bytes, starts, ends, count } = ranges;
  const words = new WordSet();
  for (let i = 0; i < count; i++) addWordsOf(bytes, starts[i]!, ends[i]!, words);
  writeFieldStart(to, { ...plainFlags(name, columnKind.list, boundsOf(values)), hasFilter: true });
  frames.addFilter(filterOf(words), to);
  writeList(ranges, frames.begin());
  frames.end(to);
}

function writeSparse(
  name: string,
  { values, rows }: Gathered & { kind: "sparse" },
  frames: FrameWriter,
  to: ByteWriter,
): void {
  const filter = rows.length > dictValuesSearched ? buildTokenFilter(values) : undefined;
  writeFieldStart(to, {
    ...plainFlags(name, columnKind.sparse, undefined),
    hasFilter: filter !== undefined,
  });
  if (filter !== undefined) frames.addFilter(filter, to);
  const output = frames.begin();
  output.out.varint(rows.length);
  writeInts(Float64Array.from(rows), rows.length, output.out, output.packed, output.text);
  writeList(rangesOf(values), output);
  frames.end(to);
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
