import { isWordByte, wordsOf } from "../../../kit/src/tokens.ts";
import type { Values } from "../source.ts";
import { costs } from "./filter.ts";
import { markEach, type ValueTest } from "./values.ts";

/** Where a text must end: at no word byte that goes on, or anywhere. */
export interface Edges {
  readonly before: boolean;
  readonly after: boolean;
}

/** Values that contain a text, within word edges as told. */
export function literalTest(text: string, edges: Edges, ignoreCase: boolean): ValueTest {
  const needle = Buffer.from(text);
  const first = isWordByte[needle[0] as number] === 1;
  const last = isWordByte[needle.at(-1) as number] === 1;
  // Beside a byte that is of no word, there is an edge anyway.
  const checked = { before: edges.before && first, after: edges.after && last };
  if (ignoreCase) return foldedTest(text, checked);
  return {
    cost: costs.word,
    matchesEmpty: false,
    words: wholeWords(text, edges),
    mark: (values, wanted, marked) => {
      if (wanted === undefined) markAll(values, needle, checked, marked);
      else markWanted(values, needle, checked, wanted, marked);
    },
  };
}

/** Words of a text that stand whole in every value that contains it. */
function wholeWords(text: string, { before, after }: Edges): readonly string[] {
  const words = wordsOf(text);
  if (words.length === 0) return words;
  const startsInWord = !before && text.startsWith(words[0] as string);
  const endsInWord = !after && text.endsWith(words.at(-1) as string);
  return words.slice(startsInWord ? 1 : 0, endsInWord ? -1 : undefined);
}

/** One pass over the bytes of all values together: a text that does not occur costs one search. */
function markAll(
  { bytes, offsets }: Values,
  needle: Buffer,
  edges: Edges,
  marked: Uint8Array,
): void {
  const end = offsets[marked.length] as number;
  let value = 0;
  let at = bytes.indexOf(needle, offsets[0]);
  while (at >= 0 && at + needle.length <= end) {
    value = valueAt(offsets, value, at);
    const valueEnd = offsets[value + 1] as number;
    const fits = at + needle.length <= valueEnd;
    if (fits && hasEdges(bytes, offsets[value] as number, valueEnd, at, needle.length, edges)) {
      marked[value] = 1;
      at = bytes.indexOf(needle, valueEnd);
    } else at = bytes.indexOf(needle, at + 1);
  }
}

/** The value that a place in the bytes belongs to; hits come in order, so the search gallops on. */
function valueAt(offsets: Uint32Array, from: number, at: number): number {
  let step = 1;
  let low = from;
  let high = from + 1;
  while (high < offsets.length - 1 && (offsets[high] as number) <= at) {
    low = high;
    step *= 2;
    high = Math.min(offsets.length - 1, high + step);
  }
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if ((offsets[middle] as number) <= at) low = middle;
    else high = middle;
  }
  return low;
}

function markWanted(
  values: Values,
  needle: Buffer,
  edges: Edges,
  wanted: Uint8Array,
  marked: Uint8Array,
): void {
  markEach(values, wanted, marked, (bytes, start, end) => {
    if (end - start < needle.length) return false;
    const value = bytes.subarray(start, end);
    for (let at = value.indexOf(needle); at >= 0; at = value.indexOf(needle, at + 1)) {
      if (hasEdges(value, 0, value.length, at, needle.length, edges)) return true;
    }
    return false;
  });
}

function hasEdges(
  bytes: Buffer,
  start: number,
  end: number,
  at: number,
  length: number,
  { before, after }: Edges,
): boolean {
  if (before && at > start && isWordByte[bytes[at - 1] as number] === 1) return false;
  const next = at + length;
  return !(after && next < end && isWordByte[bytes[next] as number] === 1);
}

function foldedTest(text: string, edges: Edges): ValueTest {
  const needle = Buffer.from(text.toLowerCase());
  return {
    cost: costs.text,
    matchesEmpty: false,
    words: [],
    mark: (values, wanted, marked) =>
      markEach(values, wanted, marked, (bytes, start, end) => {
        const value = Buffer.from(bytes.toString("utf8", start, end).toLowerCase());
        for (let at = value.indexOf(needle); at >= 0; at = value.indexOf(needle, at + 1)) {
          if (hasEdges(value, 0, value.length, at, needle.length, edges)) return true;
        }
        return false;
      }),
  };
}

/** Values in which these phrases stand in this order. */
export function sequenceTest(texts: readonly string[]): ValueTest {
  const needles = texts.map((text) => Buffer.from(text)).filter(({ length }) => length > 0);
  return {
    cost: costs.text,
    matchesEmpty: needles.length === 0,
    words: texts.flatMap((text) => wholeWords(text, { before: true, after: true })),
    mark: (values, wanted, marked) =>
      markEach(values, wanted, marked, (bytes, start, end) => {
        const value = bytes.subarray(start, end);
        let from = 0;
        for (const needle of needles) {
          const at = phraseAt(value, needle, from);
          if (at < 0) return false;
          from = at + needle.length;
        }
        return true;
      }),
  };
}

function phraseAt(value: Buffer, needle: Buffer, from: number): number {
  const before = isWordByte[needle[0] as number] === 1;
  const after = isWordByte[needle.at(-1) as number] === 1;
  for (let at = value.indexOf(needle, from); at >= 0; at = value.indexOf(needle, at + 1)) {
    if (hasEdges(value, 0, value.length, at, needle.length, { before, after })) return at;
  }
  return -1;
}
