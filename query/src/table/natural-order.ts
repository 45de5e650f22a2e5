import type { Values } from "../../../kit/src/block.ts";

/** One of some values. */
export interface ValuePlace {
  readonly values: Values;
  readonly index: number;
}

/**
 * Texts in natural order: runs of digits compare as the numbers that they are, all else by bytes, digits before other
 * characters; of equal numbers the one with fewer zeros in front comes first. Only a text itself is equal to a text.
 */
export function compareNatural(left: ValuePlace, right: ValuePlace): number {
  const { bytes: x, offsets: xs } = left.values;
  const { bytes: y, offsets: ys } = right.values;
  let [i, j] = [xs[left.index]!, ys[right.index]!];
  const [iEnd, jEnd] = [xs[left.index + 1]!, ys[right.index + 1]!];
  while (i < iEnd && j < jEnd) {
    const [a, b] = [x[i]!, y[j]!];
    if (isDigit(a) && isDigit(b)) {
      const [iNext, jNext] = [digitsEnd(x, i, iEnd), digitsEnd(y, j, jEnd)];
      const order = compareDigits(x.subarray(i, iNext), y.subarray(j, jNext));
      if (order !== 0) return order;
      [i, j] = [iNext, jNext];
      continue;
    }
    if (a !== b) return isDigit(a) ? -1 : isDigit(b) ? 1 : a - b;
    i++;
    j++;
  }
  return iEnd - i - (jEnd - j);
}

function isDigit(byte: number): boolean {
  return byte >= 48 && byte <= 57;
}

function digitsEnd(bytes: Buffer, from: number, to: number): number {
  let end = from;
  while (end < to && isDigit(bytes[end]!)) end++;
  return end;
}

/** By value, then by length. */
function compareDigits(a: Buffer, b: Buffer): number {
  const [x, y] = [significant(a), significant(b)];
  return x.length - y.length || x.compare(y) || a.length - b.length;
}

function significant(digits: Buffer): Buffer {
  const first = digits.findIndex((digit) => digit !== 48);
  return first < 0 ? digits.subarray(digits.length) : digits.subarray(first);
}
