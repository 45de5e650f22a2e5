import type { Values } from "../../../kit/src/block.ts";

const decimal = /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/;

/** The number each value is when it is written as JSON writes numbers (leading zeros allowed), else NaN. */
export function numbersOf({ bytes, offsets }: Values): Float64Array {
  const numbers = new Float64Array(offsets.length - 1);
  for (let i = 0; i < numbers.length; i++) {
    numbers[i] = numberAt(bytes, offsets[i] as number, offsets[i + 1] as number);
  }
  return numbers;
}

/** The number that `bytes[start … end)` is, NaN when it is none. */
export function numberAt(bytes: Buffer, start: number, end: number): number {
  const length = end - start;
  if (length === 0 || length > 40) return Number.NaN;
  const first = bytes[start] as number;
  const negative = first === 0x2d;
  let at = negative ? start + 1 : start;
  // Whole numbers of up to 15 digits are exact in a double, so they are summed up without a string.
  if (length <= 15 && at < end) {
    let sum = 0;
    for (; at < end; at++) {
      const digit = (bytes[at] as number) - 0x30;
      if (digit < 0 || digit > 9) break;
      sum = sum * 10 + digit;
    }
    if (at === end) return negative ? -sum : sum;
    if (at === start) return Number.NaN;
  }
  const text = bytes.toString("latin1", start, end);
  return decimal.test(text) ? Number(text) : Number.NaN;
}
