import type { Values } from "../../../kit/src/block.ts";
import { RowSet } from "./row-set.ts";
import type { ValueTest } from "./value-test.ts";

/** Values that are wanted are looked at one by one below one in so many; else all bytes are searched at once. */
const sparseShare = 16;

/** Which of the wanted values match; value i is row i of both sets. */
export function matchingValues(test: ValueTest, values: Values, wanted: RowSet): RowSet {
  const found = RowSet.empty(wanted.rowCount);
  if (test.needle === undefined || wanted.count * sparseShare < wanted.rowCount) {
    for (let i = wanted.next(0); i >= 0; i = wanted.next(i + 1)) {
      if (matchesValue(test, values, i)) found.add(i);
    }
    return found;
  }
  searchAll(test, test.needle, values, wanted, found);
  return found;
}

/** Whether value i matches. */
export function matchesValue(test: ValueTest, { bytes, offsets }: Values, i: number): boolean {
  return matchesWithin(test, bytes, offsets[i] as number, offsets[i + 1] as number);
}

/** Whether a text matches. */
export function matchesText(test: ValueTest, text: Buffer): boolean {
  return matchesWithin(test, text, 0, text.length);
}

function matchesWithin(test: ValueTest, bytes: Buffer, from: number, to: number): boolean {
  if (from === to) return test.matchesEmpty;
  const { needle } = test;
  if (needle === undefined) return test.matches(bytes, from, to, from);
  for (let at = from; ; at++) {
    at = indexWithin(bytes, needle, at, to);
    if (at < 0) return false;
    if (test.matches(bytes, from, to, at)) return true;
    if (test.decidesAtFirst) return false;
  }
}

/** One search over the bytes of all values; a needle that never occurs costs one `indexOf`. */
function searchAll(
  test: ValueTest,
  needle: Buffer,
  { bytes, offsets }: Values,
  wanted: RowSet,
  found: RowSet,
): void {
  const end = offsets[wanted.rowCount] as number;
  let value = 0;
  let at = bytes.indexOf(needle, offsets[0] as number);
  while (at >= 0 && at < end) {
    value = valueAt(offsets, value, at);
    const to = offsets[value + 1] as number;
    let next = to;
    // An occurrence that runs over the end lies in no value, nor does one that starts later in this value.
    if (wanted.has(value) && at + needle.length <= to) {
      if (test.matches(bytes, offsets[value] as number, to, at)) found.add(value);
      else if (!test.decidesAtFirst) next = at + 1;
    }
    at = bytes.indexOf(needle, next);
  }
}

/** The value that holds the byte at `at`, which lies at or after value `start`: by steps that double, then halve. */
function valueAt(offsets: Uint32Array, start: number, at: number): number {
  let low = start;
  let step = 1;
  while (low + step < offsets.length && (offsets[low + step] as number) <= at) {
    low += step;
    step *= 2;
  }
  let high = Math.min(low + step, offsets.length - 1);
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if ((offsets[middle] as number) <= at) low = middle;
    else high = middle;
  }
  return low;
}

/** Below this a loop is faster than a call out. */
const loopBytesMax = 128;

/** Where the needle lies within `bytes[from … to]`, −1 when it does not. */
export function indexWithin(bytes: Buffer, needle: Buffer, from: number, to: number): number {
  if (to - from > loopBytesMax) {
    const at = bytes.subarray(from, to).indexOf(needle);
    return at < 0 ? -1 : from + at;
  }
  const last = to - needle.length;
  const first = needle[0] as number;
  for (let at = from; at <= last; at++) {
    if (bytes[at] === first && startsWith(bytes, needle, at)) return at;
  }
  return -1;
}

/** Whether the needle stands at `at`; there is room for it. */
export function startsWith(bytes: Buffer, needle: Buffer, at: number): boolean {
  for (let i = 0; i < needle.length; i++) if (bytes[at + i] !== needle[i]) return false;
  return true;
}
