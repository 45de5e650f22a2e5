import { wordsOf } from "../../../kit/src/tokens.ts";
import { costs } from "./filter.ts";
import { markEach, type ValueTest } from "./values.ts";

/** The whole value. */
export function exactTest(value: string): ValueTest {
  const wanted = Buffer.from(value);
  return {
    cost: costs.value,
    matchesEmpty: value === "",
    words: wordsOf(value),
    mark: (values, asked, marked) =>
      markEach(values, asked, marked, (bytes, start, end) => isSame(bytes, start, end, wanted)),
  };
}

/** The value begins so. */
export function exactPrefixTest(prefix: string): ValueTest {
  const wanted = Buffer.from(prefix);
  return {
    cost: costs.value,
    matchesEmpty: prefix === "",
    // The last word may go on in the value.
    words: wordsOf(prefix).slice(0, -1),
    mark: (values, asked, marked) =>
      markEach(values, asked, marked, (bytes, start, end) => {
        const { length } = wanted;
        return end - start >= length && isSame(bytes, start, start + length, wanted);
      }),
  };
}

/** The whole value is one of these. */
export function inTest(texts: readonly string[]): ValueTest {
  const lengths = new Set(texts.map((text) => Buffer.byteLength(text)));
  const wanted = new Set(texts);
  return {
    cost: costs.value,
    matchesEmpty: wanted.has(""),
    words: [],
    mark: (values, asked, marked) =>
      markEach(values, asked, marked, (bytes, start, end) => {
        return lengths.has(end - start) && wanted.has(bytes.toString("utf8", start, end));
      }),
  };
}

export const emptyTest: ValueTest = {
  cost: costs.value,
  matchesEmpty: true,
  words: [],
  mark: (values, asked, marked) =>
    markEach(values, asked, marked, (_, start, end) => start === end),
};

export const existsTest: ValueTest = {
  cost: costs.value,
  matchesEmpty: false,
  words: [],
  mark: (values, asked, marked) => markEach(values, asked, marked, (_, start, end) => start < end),
};

function isSame(bytes: Buffer, start: number, end: number, wanted: Buffer): boolean {
  if (end - start !== wanted.length) return false;
  for (let i = 0; i < wanted.length; i++) if (bytes[start + i] !== wanted[i]) return false;
  return true;
}
