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
  const xStart = xs[left.index]!;
  const yStart = ys[right.index]!;
  const xEnd = xs[left.index + 1]!;
  const yEnd = ys[right.index + 1]!;
  // Most of what is equal is so byte by byte.
  let same = 0;
  const most = Math.min(xEnd - xStart, yEnd - yStart);
  while (same < most && x[xStart + same] === y[yStart + same]) same++;
  let number = same;
  while (number > 0 && isDigit(x[xStart + number - 1]!)) number--;
  const i = xStart + number;
  const j = yStart + number;
  const iNext = digitsEnd(x, i, xEnd);
  const jNext = digitsEnd(y, j, yEnd);
  if (iNext > i && jNext > j) {
    const order = compareDigits(x, i, iNext, y, j, jNext);
    if (order !== 0) return order;
  }
  if (same === most) return xEnd - xStart - (yEnd - yStart);
  const a = x[xStart + same]!;
  const b = y[yStart + same]!;
  if (isDigit(a)) return -1;
  return isDigit(b) ? 1 : a - b;
}

function isDigit(byte: number): boolean {
  return byte >= 48 && byte <= 57;
}

function digitsEnd(bytes: Buffer, from: number, to: number): number {
  let end = from;
  while (end < to && isDigit(bytes[end]!)) end++;
  return end;
}

/** `x[i … iEnd]` and `y[j … jEnd]`, all of them digits: by value, then by length. */
function compareDigits(
  x: Buffer,
  i: number,
  iEnd: number,
  y: Buffer,
  j: number,
  jEnd: number,
): number {
  const zeros = iEnd - i - (jEnd - j);
  while (i < iEnd && x[i] === 48) i++;
  while (j < jEnd && y[j] === 48) j++;
  const longer = iEnd - i - (jEnd - j);
  if (longer !== 0) return longer;
  for (; i < iEnd; i++, j++) if (x[i] !== y[j]) return x[i]! - y[j]!;
  return zeros;
}
