import type { Values } from "../../../kit/src/block.ts";

/** What stands for "no value" among whole numbers: one less than the smallest. */
export interface WholeNumbers {
  readonly numbers: Float64Array;
  /** The number that means an empty value; undefined when every row has a number. */
  readonly absent: number | undefined;
  readonly min: number;
  readonly max: number;
}

/**
 * The values as whole numbers, or undefined unless each one is empty or prints back to the same bytes:
 * no leading zero, no `-0`, at most 15 digits.
 */
export function parseWholeNumbers({ bytes, offsets }: Values): WholeNumbers | undefined {
  const numbers = new Float64Array(offsets.length - 1);
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  let empties = 0;
  for (let i = 0; i < numbers.length; i++) {
    const start = offsets[i]!;
    const end = offsets[i + 1]!;
    if (start === end) {
      empties++;
      numbers[i] = Number.NaN;
      continue;
    }
    const number = wholeNumberAt(bytes, start, end);
    if (Number.isNaN(number)) return undefined;
    if (number < min) min = number;
    if (number > max) max = number;
    numbers[i] = number;
  }
  if (empties === numbers.length) return undefined;
  if (empties === 0) return { numbers, absent: undefined, min, max };
  const absent = min - 1;
  for (let i = 0; i < numbers.length; i++) if (Number.isNaN(numbers[i])) numbers[i] = absent;
  return { numbers, absent, min, max };
}

function wholeNumberAt(bytes: Buffer, start: number, end: number): number {
  const negative = bytes[start] === 0x2d;
  let at = negative ? start + 1 : start;
  const digits = end - at;
  if (digits === 0 || digits > 15) return Number.NaN;
  if (bytes[at] === 0x30 && (digits > 1 || negative)) return Number.NaN;
  let sum = 0;
  for (; at < end; at++) {
    const digit = bytes[at]! - 0x30;
    if (digit < 0 || digit > 9) return Number.NaN;
    sum = sum * 10 + digit;
  }
  return negative ? -sum : sum;
}

/** Prints whole numbers of at most 15 digits, one value each; `absent` as an empty value. */
export function printWholeNumbers(numbers: Float64Array, absent: number | undefined): Values {
  const offsets = new Uint32Array(numbers.length + 1);
  let length = 0;
  for (let i = 0; i < numbers.length; i++) {
    const number = numbers[i]!;
    if (number !== absent) length += (number < 0 ? 1 : 0) + digitsOf(Math.abs(number));
    offsets[i + 1] = length;
  }
  const bytes = Buffer.allocUnsafeSlow(length);
  for (let i = 0; i < numbers.length; i++) {
    const number = numbers[i]!;
    if (number === absent) continue;
    let rest = Math.abs(number);
    let at = offsets[i + 1]!;
    // Above 31 bits `| 0` would wrap; division by floor is right but slower.
    for (; rest > 0x7fffffff; rest = Math.floor(rest / 10)) bytes[--at] = 0x30 + (rest % 10);
    let low = rest | 0;
    do {
      const tenth = (low / 10) | 0;
      bytes[--at] = 0x30 + low - tenth * 10;
      low = tenth;
    } while (low > 0);
    if (number < 0) bytes[--at] = 0x2d;
  }
  return { bytes, offsets };
}

function digitsOf(number: number): number {
  let digits = 1;
  for (let power = 10; number >= power; power *= 10) digits++;
  return digits;
}
