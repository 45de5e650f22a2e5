import type { ScatteredRows } from "./collect.ts";
import { encodeNdjson, type NdjsonLines } from "./ndjson.ts";
import type { View } from "./view.ts";

/** As `encodeNdjson`, of rows of many views; stops after `bytesMax` at a row's end, with at least one row. */
export function encodeScattered(scattered: ScatteredRows, bytesMax: number): NdjsonLines {
  const { views, viewOf, rows } = scattered;
  const [first] = viewOf;
  if (first === undefined) return { bytes: Buffer.alloc(0), offsets: new Uint32Array(1) };
  if (viewOf.every((view) => view === first)) {
    return encodeNdjson(views[first] as View, rows, bytesMax);
  }
  const lines = views.map((view, number) =>
    encodeNdjson(
      view,
      rows.filter((_, i) => viewOf[i] === number),
      bytesMax,
    ),
  );
  return interleaved(lines, viewOf, bytesMax);
}

/** The lines of each view, taken by turns. A view that was cut short ends the answer where it is used up. */
function interleaved(
  lines: readonly NdjsonLines[],
  viewOf: Uint32Array,
  bytesMax: number,
): NdjsonLines {
  const next = new Uint32Array(lines.length);
  const offsets = new Uint32Array(viewOf.length + 1);
  const total = lines.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const out = Buffer.allocUnsafeSlow(total);
  let at = 0;
  let count = 0;
  for (; count < viewOf.length && (at < bytesMax || count === 0); count++) {
    const view = viewOf[count] as number;
    const source = lines[view] as NdjsonLines;
    const line = next[view] as number;
    if (line + 1 >= source.offsets.length) break;
    next[view] = line + 1;
    at += source.bytes.copy(out, at, source.offsets[line], source.offsets[line + 1]);
    offsets[count + 1] = at;
  }
  return { bytes: out.subarray(0, at), offsets: offsets.slice(0, count + 1) };
}
