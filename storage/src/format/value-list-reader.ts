import type { Values } from "../../../kit/src/block.ts";
import { readCodes } from "./code-list.ts";
import { checkStored, damaged } from "./damage.ts";
import { readHex } from "./hex-list.ts";
import { readInts } from "./int-list.ts";
import {
  chunkBytesMax,
  listDictValuesMax,
  shapeBytesMax,
  shapeRunsMax,
  shapesMax,
} from "./limits.ts";
import type { ColumnSource } from "./streams.ts";
import { listKind } from "./value-list.ts";
import { lowDigits, printDigits } from "./value-shape.ts";

/** What a list decodes to: a value each, one for all, or a dictionary. */
export interface DecodedList {
  readonly values: Values;
  /** Of each value; undefined: value i is value i (or value 0, if there is one only). */
  readonly codes: Uint8Array | Uint16Array | Uint32Array | undefined;
}

/** Reads what `writeList` or `writeDistinct` wrote of so many values. */
export function readList(source: ColumnSource, count: number): DecodedList {
  const kind = source.head.count(15);
  switch (kind) {
    case listKind.const: {
      const bytes = Buffer.from(source.head.blob());
      return { values: { bytes, offsets: Uint32Array.of(0, bytes.length) }, codes: undefined };
    }
    case listKind.text:
      return { values: readText(source, count), codes: undefined };
    case listKind.hex: {
      const { bytes, width } = readHex(source, count);
      const offsets = new Uint32Array(count + 1);
      for (let i = 1; i <= count; i++) offsets[i] = i * width;
      return { values: { bytes, offsets }, codes: undefined };
    }
    case listKind.shapes:
      return { values: readShapes(source, count), codes: undefined };
    case listKind.dict: {
      const size = source.head.count(listDictValuesMax);
      const { values } = readList(source, size);
      checkStored(values.offsets.length === size + 1, "a dictionary has not its values");
      return { values, codes: readCodes(source, size, count, noOrder) };
    }
    default:
      throw damaged("a list of values is of an unknown kind", { kind });
  }
}

function noOrder(): Uint32Array {
  throw damaged("a list of values has no order of its own");
}

function readText({ head, text }: ColumnSource, count: number): Values {
  const length = head.count(chunkBytesMax);
  const offsets = new Uint32Array(count + 1);
  let end = 0;
  for (let i = 1; i <= count; i++) {
    end += text.varint();
    offsets[i] = end;
  }
  checkStored(end === length, "the lengths of a list do not add up", { end, length });
  return { bytes: text.take(length), offsets };
}

interface StoredShape {
  readonly literals: readonly Buffer[];
  readonly runs: readonly StoredRun[];
  readonly literalLength: number;
  next: number;
}

interface StoredRun {
  readonly digits: number;
  readonly low: Float64Array;
  readonly high: Float64Array | undefined;
}

function readShapes(source: ColumnSource, count: number): Values {
  const { head } = source;
  const shapeCount = head.count(shapesMax);
  checkStored(shapeCount > 0, "a list of values has no shape");
  const counts =
    shapeCount === 1 ? [count] : Array.from({ length: shapeCount }, () => head.count(count));
  const codes =
    shapeCount === 1 ? new Uint8Array(count) : readCodes(source, shapeCount, count, noOrder);
  const shapes = counts.map((each) => readShape(source, each));
  checkStored(sumOf(counts) === count, "the shapes of a list do not add up");
  let room = 0;
  for (const [i, { literalLength, runs }] of shapes.entries()) {
    room += counts[i]! * (literalLength + runs.length * lowDigits * 2);
  }
  checkStored(room <= chunkBytesMax, "a list of values is too long");
  return printShapes(shapes, codes, count, room);
}

function sumOf(counts: readonly number[]): number {
  return counts.reduce((sum, each) => sum + each, 0);
}

function readShape(source: ColumnSource, count: number): StoredShape {
  const { head } = source;
  const runCount = head.count(shapeRunsMax + 1);
  const literals = Array.from({ length: runCount + 1 }, () => head.blob());
  const literalLength = literals.reduce((sum, { length }) => sum + length, 0);
  checkStored(literalLength <= shapeBytesMax, "the text of a shape is too long");
  const runs = Array.from({ length: runCount }, (): StoredRun => {
    const tag = head.count(lowDigits * 4 + 1);
    const low = checkedNumbers(readInts(source, count));
    const high = (tag & 1) === 0 ? undefined : checkedNumbers(readInts(source, count));
    return { digits: tag >>> 1, low, high };
  });
  return { literals, runs, literalLength, next: 0 };
}

function checkedNumbers(numbers: Float64Array): Float64Array {
  let isRight = true;
  for (let i = 0; i < numbers.length; i++) {
    const number = numbers[i]!;
    if (!(number >= 0 && number < 1e15)) isRight = false;
  }
  checkStored(isRight, "the numbers of a shape are wrong");
  return numbers;
}

const digitBytes = Buffer.alloc(64);

function printShapes(
  shapes: readonly StoredShape[],
  codes: ArrayLike<number>,
  count: number,
  room: number,
): Values {
  const bytes = Buffer.allocUnsafeSlow(room);
  const offsets = new Uint32Array(count + 1);
  let at = 0;
  for (let i = 0; i < count; i++) {
    const shape = shapes[codes[i]!]!;
    const index = shape.next++;
    checkStored(index < (shape.runs[0]?.low.length ?? count), "a shape has too few values");
    at = printShape(shape, index, bytes, at);
    offsets[i + 1] = at;
  }
  return { bytes: Buffer.from(bytes.subarray(0, at)), offsets };
}

function printShape(
  { literals, runs }: StoredShape,
  index: number,
  bytes: Buffer,
  at: number,
): number {
  for (let k = 0; k < runs.length; k++) {
    at = copyBytes(literals[k]!, 0, literals[k]!.length, bytes, at);
    const run = runs[k]!;
    const high = run.high === undefined ? 0 : run.high[index]!;
    const low = run.low[index]!;
    let start = printDigits(
      low,
      high > 0 ? lowDigits : Math.max(1, Math.min(run.digits, lowDigits)),
      digitBytes,
      64,
    );
    if (high > 0 || run.digits > lowDigits)
      start = printDigits(
        high,
        run.digits - lowDigits,
        digitBytes,
        high > 0 ? start : 64 - lowDigits,
      );
    at = copyBytes(digitBytes, start, 64, bytes, at);
  }
  const last = literals[runs.length]!;
  return copyBytes(last, 0, last.length, bytes, at);
}

function copyBytes(from: Buffer, start: number, end: number, to: Buffer, at: number): number {
  while (start < end) to[at++] = from[start++]!;
  return at;
}
