import type { Column, Values } from "../../../kit/src/block.ts";
import { parseNumeric } from "../language/numeric.ts";
import { codeAt } from "./column.ts";

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
  let filled: Float64Array | undefined;
  let values: Values | undefined;
  const known = column.layout === "rows" ? undefined : new Map<number, number>();
  for (let i = 0; i < rows.length; i++) {
    if (!Number.isNaN(numbers[i])) continue;
    const code = codeAt(column, rows[i] as number);
    let number = known?.get(code);
    if (number === undefined) {
      values ??= column.values();
      number = numberWithUnit(values, code);
      known?.set(code, number);
    }
    if (Number.isNaN(number)) continue;
    filled ??= numbers.slice();
    filled[i] = number;
  }
  return filled ?? numbers;
}
