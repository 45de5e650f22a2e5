import type { Codes } from "../../../kit/src/block.ts";

/**
 * `out[i]` becomes the code of row `rows[i]`; `isWhole`: the rows are all rows. A loop for each width of codes: one over
 * arrays of several widths takes several times as long.
 */
export function codesInto(
  codes: Codes,
  rows: Uint32Array,
  isWhole: boolean,
  out: Uint32Array,
): void {
  if (isWhole) out.set(codes);
  else if (codes instanceof Uint8Array) gather8(codes, rows, out);
  else if (codes instanceof Uint16Array) gather16(codes, rows, out);
  else gather32(codes, rows, out);
}

function gather8(codes: Uint8Array, rows: Uint32Array, out: Uint32Array): void {
  for (let i = 0; i < rows.length; i++) out[i] = codes[rows[i] as number] as number;
}

function gather16(codes: Uint16Array, rows: Uint32Array, out: Uint32Array): void {
  for (let i = 0; i < rows.length; i++) out[i] = codes[rows[i] as number] as number;
}

function gather32(codes: Uint32Array, rows: Uint32Array, out: Uint32Array): void {
  for (let i = 0; i < rows.length; i++) out[i] = codes[rows[i] as number] as number;
}

/** Adds one to the count of each code. */
export function countCodes(codes: Uint32Array, counts: Uint32Array): void {
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i] as number;
    counts[code] = (counts[code] as number) + 1;
  }
}

/** `into[i]` becomes one number for both codes, of which the second has `count` values. */
export function combineCodes(into: Uint32Array, codes: Uint32Array, count: number): void {
  for (let i = 0; i < into.length; i++) {
    into[i] = (into[i] as number) * count + (codes[i] as number);
  }
}
