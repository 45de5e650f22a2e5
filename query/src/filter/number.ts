import type { CompareNode, RangeNode } from "../language/filter-node.ts";
import { parseIpv4, parseNumeric } from "../language/numeric.ts";
import { costs } from "./filter.ts";
import { markEach, type ValueTest } from "./values.ts";

/** Numbers between two ends. */
interface Span {
  readonly min: number;
  readonly max: number;
  readonly minInclusive: boolean;
  readonly maxInclusive: boolean;
}

/** `:>10`: by number when the bound reads as one, else by bytes. */
export function compareTest({ op, value }: CompareNode): ValueTest {
  const number = parseNumeric(value);
  if (number === undefined) return bytesTest(op, value);
  const inclusive = op.length === 2;
  const span: Span = op.startsWith(">")
    ? { min: number, max: Number.POSITIVE_INFINITY, minInclusive: inclusive, maxInclusive: true }
    : { min: Number.NEGATIVE_INFINITY, max: number, minInclusive: true, maxInclusive: inclusive };
  return spanTest(span);
}

export function rangeTest({ min, max, minInclusive, maxInclusive }: RangeNode): ValueTest {
  return spanTest({ min: endOf(min), max: endOf(max), minInclusive, maxInclusive });
}

function endOf(text: string): number {
  if (/^[+-]?inf$/i.test(text))
    return text.startsWith("-") ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  return parseNumeric(text) ?? Number.NaN;
}

function spanTest(span: Span): ValueTest {
  const { min, max, minInclusive, maxInclusive } = span;
  const holds = (n: number): boolean =>
    (minInclusive ? n >= min : n > min) && (maxInclusive ? n <= max : n < max);
  return {
    cost: costs.value,
    matchesEmpty: false,
    words: [],
    mayMatch: (bounds) => bounds.max >= min && bounds.min <= max,
    markNumbers: (numbers, marked) => {
      for (let i = 0; i < marked.length; i++) {
        const number = numbers[i] as number;
        // Not a plain number: perhaps one with a unit, which only its text tells.
        if (Number.isNaN(number)) return false;
        marked[i] = holds(number) ? 1 : 0;
      }
      return true;
    },
    mark: (values, wanted, marked) => {
      marked.fill(0);
      markEach(values, wanted, marked, (bytes, start, end) => {
        const first = bytes[start];
        if (first === undefined || start === end || end - start > 64) return false;
        const number = parseNumeric(bytes.toString("latin1", start, end));
        return number !== undefined && holds(number);
      });
    },
  };
}

function bytesTest(op: CompareNode["op"], value: string): ValueTest {
  const bound = Buffer.from(value);
  return {
    cost: costs.value,
    matchesEmpty: false,
    words: [],
    mark: (values, wanted, marked) =>
      markEach(values, wanted, marked, (bytes, start, end) => {
        if (start === end) return false;
        const order = bytes.compare(bound, 0, bound.length, start, end);
        switch (op) {
          case ">":
            return order > 0;
          case ">=":
            return order >= 0;
          case "<":
            return order < 0;
          case "<=":
            return order <= 0;
        }
      }),
  };
}

/** min ≤ value < max by bytes. */
export function stringRangeTest(min: string, max: string): ValueTest {
  const low = Buffer.from(min);
  const high = Buffer.from(max);
  return {
    cost: costs.value,
    matchesEmpty: min === "" && max !== "",
    words: [],
    mark: (values, wanted, marked) =>
      markEach(values, wanted, marked, (bytes, start, end) => {
        return (
          bytes.compare(low, 0, low.length, start, end) >= 0 &&
          bytes.compare(high, 0, high.length, start, end) < 0
        );
      }),
  };
}

/** Length in code points, both ends in. */
export function lengthRangeTest(min: number, max: number): ValueTest {
  return {
    cost: costs.text,
    matchesEmpty: min <= 0,
    words: [],
    mark: (values, wanted, marked) =>
      markEach(values, wanted, marked, (bytes, start, end) => {
        let length = 0;
        // Every code point has one byte that does not continue another.
        for (let at = start; at < end; at++) if (((bytes[at] as number) & 0xc0) !== 0x80) length++;
        return length >= min && length <= max;
      }),
  };
}

/** IPv4 addresses as numbers, both ends in. */
export function ipv4RangeTest(min: number, max: number): ValueTest {
  return {
    cost: costs.value,
    matchesEmpty: false,
    words: [],
    mark: (values, wanted, marked) =>
      markEach(values, wanted, marked, (bytes, start, end) => {
        if (end - start < 7 || end - start > 15) return false;
        const address = parseIpv4(bytes.toString("latin1", start, end));
        return address !== undefined && address >= min && address <= max;
      }),
  };
}
