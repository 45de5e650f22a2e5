import type { Column } from "../../../kit/src/block.ts";
import { parseIpv4, parseNumeric } from "../language/numeric.ts";
import { codeAt, gatherNumbers } from "./column.ts";
import { parseTime } from "./time-text.ts";

/** As `gatherNumbers`, and sizes, durations (in ns), times (ns since 1970) and IPv4 addresses are numbers too. */
export function gatherMathNumbers(
  column: Column | undefined,
  rows: Uint32Array,
  out: Float64Array,
): void {
  gatherNumbers(column, rows, out);
  if (column === undefined || !out.some(Number.isNaN)) return;
  const { bytes, offsets } = column.values();
  const known = new Map<number, number>();
  for (let i = 0; i < rows.length; i++) {
    if (!Number.isNaN(out[i])) continue;
    const code = codeAt(column, rows[i] as number);
    let number = known.get(code);
    if (number === undefined) {
      const text = bytes.toString("utf8", offsets[code] as number, offsets[code + 1] as number);
      number = mathNumberOf(text);
      known.set(code, number);
    }
    out[i] = number;
  }
}

/** Most texts are told to be no number by their first character and their length. */
function mathNumberOf(text: string): number {
  if (text.length > 64 || !/^[-+.\dIi]/.test(text)) return Number.NaN;
  const number = parseNumeric(text) ?? parseIpv4(text);
  if (number !== undefined) return number;
  const moment = parseTime(text);
  return moment === undefined ? Number.NaN : moment.ms * 1e6 + moment.ns;
}
