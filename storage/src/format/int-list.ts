import { bitsOf, packBits, packedLength, unpackBits } from "./bits.ts";
import type { ByteWriter } from "./byte-writer.ts";
import { checkStored } from "./damage.ts";
import { addSteps, packIntegers, unpackIntegers } from "./integers.ts";
import { blockRowsMax } from "./limits.ts";
import type { ColumnSource, PayloadWriter } from "./streams.ts";

/** How a list of numbers lies: distances from the least, zigzag steps, or as `packIntegers` has it. */
const mode = { offsets: 0, steps: 1, planes: 2 } as const;
const exactMax = 2 ** 51;

/**
 * Writes the first `count` numbers. Whole numbers take as many bits as their range or their steps need; what
 * is not whole goes as doubles. `smooth`: in byte planes for zstd, for what is regular but for some jumps.
 */
export function writeInts(
  numbers: Float64Array,
  count: number,
  out: ByteWriter,
  packed: PayloadWriter,
  text: PayloadWriter,
  smooth = false,
): void {
  const { min, max, stepMax, isExact } = measure(numbers, count);
  if (!isExact || smooth) {
    const planes = packIntegers(numbers.subarray(0, count));
    out.varint(mode.planes);
    out.varint(planes.length);
    text.copy(planes, 0, planes.length);
    return;
  }
  const width = bitsOf(max - min);
  const stepWidth = bitsOf(stepMax);
  const how = stepWidth < width ? mode.steps : mode.offsets;
  const bits = how === mode.steps ? stepWidth : width;
  out.varint(how + bits * 4);
  const base = how === mode.steps ? (numbers[0] as number) : min;
  out.varint(base < 0 ? -base * 2 - 1 : base * 2);
  const { bytes, at } = packed.reserve(packedLength(count, bits));
  if (how === mode.steps) packBits(stepsOf(numbers, count), count, 0, bits, bytes, at);
  else packBits(numbers, count, min, bits, bytes, at);
}

/** Leaves out what `readInts` would read. */
export function skipInts({ head, packed, text }: ColumnSource, count: number): void {
  const tag = head.count(4 * 64);
  if (tag % 4 === mode.planes) {
    text.take(head.varint());
    return;
  }
  head.varint();
  packed.take(packedLength(count, Math.floor(tag / 4)));
}

export function readInts({ head, packed, text }: ColumnSource, count: number): Float64Array {
  const tag = head.count(4 * 64);
  const how = tag % 4;
  if (how === mode.planes) return unpackIntegers(Buffer.from(text.take(head.varint())), count);
  const bits = Math.floor(tag / 4);
  checkStored(how !== 3 && bits <= 53, "numbers are packed in an unknown way");
  const zigzag = head.varint();
  const base = zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2;
  const numbers = new Float64Array(count);
  const bytes = packed.take(packedLength(count, bits));
  unpackBits(bytes, numbers, how === mode.steps ? 0 : base, bits);
  if (how === mode.steps) addSteps(numbers, base, bits <= 32);
  return numbers;
}

function measure(values: Float64Array, count: number) {
  const first = values[0] ?? 0;
  let min = first;
  let max = first;
  let stepMax = 0;
  let isExact = true;
  let before = first;
  for (let i = 0; i < count; i++) {
    const value = values[i] as number;
    if (value < min) min = value;
    if (value > max) max = value;
    const step = value >= before ? (value - before) * 2 : (before - value) * 2 - 1;
    if (step > stepMax) stepMax = step;
    if (value !== Math.trunc(value) || (value === 0 && 1 / value < 0)) isExact = false;
    before = value;
  }
  // Negated so that NaN counts as not exact.
  if (!(min >= -exactMax && max <= exactMax)) isExact = false;
  return { min, max, stepMax, isExact };
}

/** Memory for the steps of the numbers being written; blocks have no more rows. */
const stepsWritten = new Float64Array(blockRowsMax);

function stepsOf(values: Float64Array, count: number): Float64Array {
  const out = stepsWritten;
  let before = values[0] ?? 0;
  for (let i = 0; i < count; i++) {
    const value = values[i] as number;
    out[i] = value >= before ? (value - before) * 2 : (before - value) * 2 - 1;
    before = value;
  }
  return out;
}
