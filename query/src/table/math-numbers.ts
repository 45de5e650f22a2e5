import type { Column, Values } from "../../../kit/src/block.ts";
import { parseIpv4, parseNumeric } from "../language/numeric.ts";
import { gatherNumbers } from "./column.ts";
import { parseTime } from "./time-text.ts";
import { otherNumbers } from "./unit-number.ts";

/** As `gatherNumbers`, and sizes, durations (in ns), times (ns since 1970) and IPv4 addresses are numbers too. Rows ascend. */
export function gatherMathNumbers(
  column: Column | undefined,
  rows: Uint32Array,
  out: Float64Array,
): void {
  gatherNumbers(column, rows, out);
  if (column === undefined) return;
  const filled = otherNumbers(column, rows, out, mathNumber);
  if (filled !== undefined) out.set(filled);
}

const textBytesMax = 64;

/** Most texts are told to be no number by their length and first byte. */
function mathNumber({ bytes, offsets }: Values, i: number): number {
  const from = offsets[i] as number;
  const to = offsets[i + 1] as number;
  if (to === from || to - from > textBytesMax) return Number.NaN;
  // A digit, a sign, a point, or the first letter of `Inf`.
  const first = bytes[from] as number;
  const isNumeral = (first >= 0x30 && first <= 0x39) || (first >= 0x2b && first <= 0x2e);
  if (!isNumeral && first !== 0x49 && first !== 0x69) return Number.NaN;
  const text = bytes.toString("utf8", from, to);
  const number = parseNumeric(text) ?? parseIpv4(text);
  if (number !== undefined) return number;
  const moment = parseTime(text);
  return moment === undefined ? Number.NaN : moment.ms * 1e6 + moment.ns;
}
