import type { Column, Values } from "./block.ts";

/** `Column.pick` for a column whose values are at hand: copies those of the rows. */
export function pickValues(
  { layout, codes }: Pick<Column, "layout" | "codes">,
  values: Values,
  rows: Uint32Array,
): Values {
  const places = layout === "rows" ? rows : placesOf(codes, rows);
  return copyValues(values, places);
}

function placesOf(codes: Column["codes"], rows: Uint32Array): Uint32Array {
  const places = new Uint32Array(rows.length);
  if (codes === undefined) return places;
  for (let i = 0; i < rows.length; i++) places[i] = codes[rows[i]!]!;
  return places;
}

/** The values at these places, one behind the other. */
function copyValues({ bytes, offsets }: Values, places: Uint32Array): Values {
  const ends = new Uint32Array(places.length + 1);
  let length = 0;
  for (let i = 0; i < places.length; i++) {
    const place = places[i]!;
    length += offsets[place + 1]! - offsets[place]!;
    ends[i + 1] = length;
  }
  const picked = Buffer.allocUnsafeSlow(length);
  for (let i = 0; i < places.length; i++) {
    const start = offsets[places[i]!]!;
    copyShort(bytes, start, picked, ends[i]!, ends[i + 1]!);
  }
  return { bytes: picked, offsets: ends };
}

function copyShort(from: Buffer, start: number, to: Buffer, at: number, end: number): void {
  // A call costs more than a loop over a short value.
  if (end - at > 64) from.copy(to, at, start, start + end - at);
  else while (at < end) to[at++] = from[start++]!;
}
