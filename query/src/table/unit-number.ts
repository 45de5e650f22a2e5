import type { Column, Values } from "../../../kit/src/block.ts";
import { parseNumeric } from "../language/numeric.ts";
import { codeAt, mayHaveTexts } from "./column.ts";

/** Ends of numbers that columns do not know: units, and digits behind a base. */
const unitEnds = new Set(Buffer.from("smhdwyBKMGTi"));
const baseLetters = new Set(Buffer.from("xXbBoO"));

/** The number in value i such as `10KiB`, `1.5s`, `0x1f`; NaN for what is none, most of it told by two bytes. */
export function numberWithUnit({ bytes, offsets }: Values, i: number): number {
  const from = offsets[i] as number;
  const to = offsets[i + 1] as number;
  const first = bytes[from] as number;
  const isNumeral = (first >= 0x30 && first <= 0x39) || (first >= 0x2b && first <= 0x2e);
  if (to - from < 2 || to - from > 40 || !isNumeral) return Number.NaN;
  const hasBase =
    baseLetters.has(bytes[from + 1] as number) || baseLetters.has(bytes[from + 2] ?? 0);
  if (!hasBase && !unitEnds.has(bytes[to - 1] as number)) return Number.NaN;
  return parseNumeric(bytes.toString("utf8", from, to)) ?? Number.NaN;
}

/**
 * The numbers of rows, `numbers[i]` being that of `rows[i]`, with those filled in that have a unit: sizes in bytes, durations in
 * nanoseconds. The same array where there are none; else a copy, since a column's own numbers are nobody's to change.
 */
export function withUnits(column: Column, rows: Uint32Array, numbers: Float64Array): Float64Array {
  const filled = otherNumbers(column, rows, numbers, numberWithUnit);
  return filled ?? numbers;
}

/**
 * A copy of the numbers with `numberOf` value i where there was none; undefined when it knows none either. Asks each
 * value of a dictionary once, and of other columns decodes only the values without a number. Rows ascend.
 */
export function otherNumbers(
  column: Column,
  rows: Uint32Array,
  numbers: Float64Array,
  numberOf: (values: Values, i: number) => number,
): Float64Array | undefined {
  if (!mayHaveTexts(column)) return undefined;
  const places: number[] = [];
  for (let i = 0; i < rows.length; i++) if (Number.isNaN(numbers[i])) places.push(i);
  if (places.length === 0) return undefined;
  const ofRows = column.layout === "rows";
  const values = ofRows
    ? column.pick(Uint32Array.from(places, (place) => rows[place] as number))
    : column.values();
  const known = new Map<number, number>();
  let filled: Float64Array | undefined;
  for (let p = 0; p < places.length; p++) {
    const place = places[p] as number;
    const code = ofRows ? p : codeAt(column, rows[place] as number);
    let number = ofRows ? undefined : known.get(code);
    if (number === undefined) {
      number = numberOf(values, code);
      if (!ofRows) known.set(code, number);
    }
    if (Number.isNaN(number)) continue;
    filled ??= numbers.slice();
    filled[place] = number;
  }
  return filled;
}
