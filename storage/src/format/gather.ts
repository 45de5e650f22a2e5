import type { Codes, Column, Values } from "../../../kit/src/block.ts";
import type { Placing } from "./block-rows.ts";
import { SparseColumn } from "./columns.ts";
import { listDictValuesMax, sparseShare } from "./limits.ts";
import type { ValueTable } from "./value-table.ts";
import { copyBytes, viewOf } from "./words.ts";

/** One field's values in a new order: distinct ones and codes, one for each row, or those of few rows. */
export type Gathered =
  | { readonly kind: "dict"; readonly values: Values; readonly codes: Uint16Array }
  | { readonly kind: "rows"; readonly values: Values }
  | { readonly kind: "sparse"; readonly values: Values; readonly rows: Uint32Array };

/**
 * Brings a field's values into a new order. As a dictionary if that is smaller: values of few kinds
 * are then kept once. Which of the sources have dictionaries of their own does not matter. What the rows have lies in
 * the placing's scratch memory; `table` is emptied and used.
 */
export function gather(placing: Placing, field: string, table: ValueTable): Gathered {
  const columns = placing.sources.map((block) => block.column(field));
  if (isSparse(placing, columns)) return gatherSparse(placing, columns);
  // What was stored as templates differs from row to row, and is dear to look at twice.
  if (columns.some((column) => column?.templates !== undefined)) {
    return { kind: "rows", values: gatherRows(placing, columns) };
  }
  const codes = placing.scratch.u16(placing.rowCount);
  table.clear();
  if (gatherCodes(placing, columns, codes, table)) {
    const values = table.values();
    const size = table.size;
    if (size <= 256) return { kind: "dict", values, codes };
    const { spread, present } = measure(values, codes);
    const cost = values.bytes.length + size * 2 + codes.length * 2;
    // Values that come twice are worth it even where they are short: codes follow each other, numbers do not.
    if (cost < (spread + codes.length) * 0.8 || size * 2 <= present) {
      return inOrderOfRows(values, codes);
    }
  }
  return { kind: "rows", values: gatherRows(placing, columns) };
}

function isSparse(
  { starts, rowCount }: Placing,
  columns: readonly (Column | undefined)[],
): boolean {
  let rows = 0;
  for (let s = 0; s < columns.length; s++) {
    if (columns[s] !== undefined) rows += starts[s + 1]! - starts[s]!;
  }
  return rows * sparseShare <= rowCount;
}

/** False when there are too many different values for a dictionary to pay. */
function gatherCodes(
  { starts, rows, places }: Placing,
  columns: readonly (Column | undefined)[],
  codes: Uint16Array,
  table: ValueTable,
): boolean {
  let met = 0;
  for (let s = 0; s < columns.length; s++) {
    const column = columns[s];
    const from = starts[s]!;
    const end = starts[s + 1]!;
    if (column === undefined)
      fillCode(table.codeOf(noBytes, noView, 0, 0), places, from, end, codes);
    else if (column.layout === "rows") {
      if (column instanceof SparseColumn && isWhole(rows, from, end, column)) {
        codesOfSparse(column, places, from, end, codes, table);
        met += column.present.length;
      } else {
        codesOfRows(column.values(), rows, places, from, end, codes, table);
        met += end - from;
      }
      if (isTooDiverse(table.size, met)) return false;
    } else codesOfDict(column, rows, places, from, end, codes, table);
    if (table.size > listDictValuesMax) return false;
  }
  return true;
}

/** Early enough to spare the work, late enough to have met repeated values. */
function isTooDiverse(distinct: number, met: number): boolean {
  return met >= diversityKnownAt && distinct * 5 > met * 4;
}

/** Values after which it shows: ids repeat soon, or not at all. */
const diversityKnownAt = 2_048;

const noBytes = Buffer.alloc(0);
const noView = viewOf(noBytes);

function fillCode(
  code: number,
  places: Uint32Array,
  from: number,
  end: number,
  codes: Uint16Array,
) {
  for (let i = from; i < end; i++) codes[places[i]!] = code;
}

/** Whether a column's rows are all there, in their order. */
function isWhole(rows: Uint32Array, from: number, end: number, column: SparseColumn): boolean {
  if (end - from !== column.valueCount) return false;
  for (let i = from; i < end; i++) if (rows[i] !== i - from) return false;
  return true;
}

function codesOfSparse(
  { present, presentValues }: SparseColumn,
  places: Uint32Array,
  from: number,
  end: number,
  codes: Uint16Array,
  table: ValueTable,
): void {
  const { bytes, offsets } = presentValues;
  const view = viewOf(bytes);
  if (present.length < end - from)
    fillCode(table.codeOf(bytes, view, 0, 0), places, from, end, codes);
  for (let i = 0; i < present.length; i++) {
    codes[places[from + present[i]!]!] = table.codeOf(bytes, view, offsets[i]!, offsets[i + 1]!);
  }
}

function codesOfRows(
  { bytes, offsets }: Values,
  rows: Uint32Array,
  places: Uint32Array,
  from: number,
  end: number,
  codes: Uint16Array,
  table: ValueTable,
): void {
  // Many rows lack the field, and hashing nothing costs as much as a lookup.
  let emptyCode = -1;
  const view = viewOf(bytes);
  for (let i = from; i < end; i++) {
    const row = rows[i]!;
    const start = offsets[row]!;
    const stop = offsets[row + 1]!;
    if (start === stop && emptyCode >= 0) codes[places[i]!] = emptyCode;
    else {
      const code = table.codeOf(bytes, view, start, stop);
      if (start === stop) emptyCode = code;
      codes[places[i]!] = code;
    }
  }
}

function codesOfDict(
  column: Column,
  rows: Uint32Array,
  places: Uint32Array,
  from: number,
  end: number,
  codes: Uint16Array,
  table: ValueTable,
): void {
  const { bytes, offsets } = column.values();
  const view = viewOf(bytes);
  const own = column.codes;
  if (own === undefined) {
    if (from < end) fillCode(table.codeOf(bytes, view, 0, offsets[1]!), places, from, end, codes);
    return;
  }
  const remap = new Int32Array(column.valueCount).fill(-1);
  for (let i = from; i < end; i++) {
    const value = own[rows[i]!]!;
    let code = remap[value]!;
    if (code < 0) {
      code = table.codeOf(bytes, view, offsets[value]!, offsets[value + 1]!);
      remap[value] = code;
    }
    codes[places[i]!] = code;
  }
}

/** How many bytes the rows' values have together, and how many rows have one. */
function measure(
  { offsets }: Values,
  codes: Uint16Array,
): { readonly spread: number; readonly present: number } {
  const counts = new Uint32Array(offsets.length - 1);
  for (let i = 0; i < codes.length; i++) counts[codes[i]!]!++;
  let spread = 0;
  let present = 0;
  for (let code = 0; code < counts.length; code++) {
    const length = offsets[code + 1]! - offsets[code]!;
    spread += counts[code]! * length;
    if (length > 0) present += counts[code]!;
  }
  return { spread, present };
}

/** The dictionary in the order in which the rows first have its values. */
function inOrderOfRows(values: Values, codes: Uint16Array): Gathered {
  const count = values.offsets.length - 1;
  const renumbered = new Int32Array(count).fill(-1);
  const old = new Uint32Array(count);
  let next = 0;
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i]!;
    let own = renumbered[code]!;
    if (own < 0) {
      own = next++;
      renumbered[code] = own;
      old[own] = code;
    }
    codes[i] = own;
  }
  const offsets = new Uint32Array(next + 1);
  const bytes = Buffer.allocUnsafeSlow(values.bytes.length);
  const from = viewOf(values.bytes);
  const to = viewOf(bytes);
  let at = 0;
  for (let i = 0; i < next; i++) {
    const start = values.offsets[old[i]!]!;
    const end = values.offsets[old[i]! + 1]!;
    copyBytes(from, values.bytes, start, end, to, bytes, at);
    at += end - start;
    offsets[i + 1] = at;
  }
  return { kind: "dict", values: { bytes: bytes.subarray(0, at), offsets }, codes };
}

function gatherRows(placing: Placing, columns: readonly (Column | undefined)[]): Values {
  const { rowCount, starts, rows, places, scratch } = placing;
  // Which value of its source is a row's: looked up once for both passes.
  const valueOfCodes = scratch.u32(rowCount);
  const offsets = scratch.u32(rowCount + 1).fill(0);
  const sources = columns.map((column) => column?.values());
  for (let s = 0; s < columns.length; s++) {
    const from = sources[s]?.offsets;
    if (from === undefined) continue;
    const start = starts[s]!;
    const end = starts[s + 1]!;
    const { codes, layout } = columns[s]!;
    if (layout !== "rows") codesPicked(codes, rows, start, end, valueOfCodes);
    lengthsPlaced(from, layout === "rows" ? rows : valueOfCodes, places, start, end, offsets);
  }
  for (let i = 0; i < rowCount; i++) offsets[i + 1]! += offsets[i]!;
  const bytes = scratch.bytes(offsets[rowCount]!);
  const to = { bytes, view: viewOf(bytes), offsets };
  for (let s = 0; s < columns.length; s++) {
    const values = sources[s];
    if (values === undefined) continue;
    const own = columns[s]!.layout === "rows" ? rows : valueOfCodes;
    copyPlaced(values, own, places, starts[s]!, starts[s + 1]!, to);
  }
  return { bytes, offsets };
}

/*
 * The loops over rows, each by itself: a function that has several of them, and is called once a block, would be
 * compiled in the midst of one of them, over and over.
 */

function codesPicked(
  codes: Codes | undefined,
  rows: Uint32Array,
  start: number,
  end: number,
  out: Uint32Array,
): void {
  if (codes === undefined) out.fill(0, start, end);
  else for (let i = start; i < end; i++) out[i] = codes[rows[i]!]!;
}

/** Puts the length of each row's value behind its place. */
function lengthsPlaced(
  from: Uint32Array,
  numbers: Uint32Array,
  places: Uint32Array,
  start: number,
  end: number,
  out: Uint32Array,
): void {
  for (let i = start; i < end; i++) {
    const value = numbers[i]!;
    out[places[i]! + 1] = from[value + 1]! - from[value]!;
  }
}

function copyPlaced(
  { bytes, offsets }: Values,
  numbers: Uint32Array,
  places: Uint32Array,
  start: number,
  end: number,
  to: { readonly bytes: Buffer; readonly view: DataView; readonly offsets: Uint32Array },
): void {
  const view = viewOf(bytes);
  for (let i = start; i < end; i++) {
    const value = numbers[i]!;
    const at = to.offsets[places[i]!]!;
    copyBytes(view, bytes, offsets[value]!, offsets[value + 1]!, to.view, to.bytes, at);
  }
}

/** The values that are there, by row. Costs nothing for sources without the field. */
function gatherSparse(
  { starts, rows, places }: Placing,
  columns: readonly (Column | undefined)[],
): Gathered {
  const found: { readonly row: number; readonly values: Values; readonly value: number }[] = [];
  for (let s = 0; s < columns.length; s++) {
    const column = columns[s];
    if (column === undefined) continue;
    const values = column.values();
    for (let i = starts[s]!; i < starts[s + 1]!; i++) {
      const row = rows[i]!;
      const value = column.layout === "rows" ? row : (column.codes?.[row] ?? 0);
      if (values.offsets[value] === values.offsets[value + 1]) continue;
      found.push({ row: places[i]!, values, value });
    }
  }
  found.sort((a, b) => a.row - b.row);
  const parts = found.map(({ values, value }) =>
    values.bytes.subarray(values.offsets[value], values.offsets[value + 1]),
  );
  const offsets = new Uint32Array(parts.length + 1);
  for (let i = 0; i < parts.length; i++) offsets[i + 1] = offsets[i]! + parts[i]!.length;
  const sparseRows = Uint32Array.from(found, ({ row }) => row);
  return { kind: "sparse", values: { bytes: Buffer.concat(parts), offsets }, rows: sparseRows };
}
