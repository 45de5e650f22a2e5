import type { Column, StreamLabels } from "../../../kit/src/block.ts";
import { checkColumnBytes, ValuesBuilder, ValuesColumn } from "./column.ts";
import { PickedRows, type PlacedValues } from "./picked-rows.ts";
import { isImplied } from "./posted.ts";
import { TableBlock } from "./table-block.ts";
import { View } from "./view.ts";

/** Rows of many views in one order: row i is row `rows[i]` of `views[viewOf[i]]`. */
export interface ScatteredRows {
  readonly views: readonly View[];
  readonly viewOf: Uint32Array;
  readonly rows: Uint32Array;
}

/**
 * Copies the rows into one view of their own, in their order; the views may go then. `repeats`: a row may be there several
 * times.
 */
export function collectRows(scattered: ScatteredRows, repeats = false): View {
  const { views, rows } = scattered;
  const names = [...new Set(views.flatMap((view) => view.names))];
  const columns = new Map<string, Column>();
  const picked = pickedOf(scattered);
  for (const name of names) {
    const holds = views.map((view) => !view.names.includes(name) || isImplied(view, name));
    if (holds.every(Boolean) && (name === "_time" || name === "_stream")) continue;
    columns.set(name, collectColumn(scattered, picked, name));
  }
  const block = new TableBlock({
    rowCount: rows.length,
    columns,
    times: collectTimes(scattered),
    streams: collectStreams(scattered),
    positions: collectPositions(scattered),
    repeats,
  });
  return View.table(block, names, views[0]?.shape ?? "table");
}

function collectColumn(
  { views, viewOf, rows }: ScatteredRows,
  picked: readonly PickedRows[],
  name: string,
): Column {
  let length = 0;
  const placed = views.map((view, number) => {
    const column = view.column(name);
    if (column === undefined) return undefined;
    const own = (picked[number] as PickedRows).of(column);
    length += lengthOf(own);
    // Before the values of further blocks are read, too.
    checkColumnBytes(length);
    return own;
  });
  const next = new Uint32Array(views.length);
  const builder = new ValuesBuilder(rows.length, length);
  for (let i = 0; i < rows.length; i++) {
    const number = viewOf[i] as number;
    const own = placed[number];
    if (own === undefined) {
      builder.pushText("");
      continue;
    }
    const at = next[number] as number;
    next[number] = at + 1;
    const { bytes, offsets } = own.values;
    const place = own.places[at] as number;
    builder.pushBytes(bytes, offsets[place] as number, offsets[place + 1] as number);
  }
  return new ValuesColumn("rows", builder.finish());
}

/** Bytes of all of the values. */
function lengthOf({ values: { offsets }, places }: PlacedValues): number {
  let length = 0;
  for (let i = 0; i < places.length; i++) {
    const place = places[i] as number;
    length += (offsets[place + 1] as number) - (offsets[place] as number);
  }
  return length;
}

/** The rows of each view, in their order. */
function pickedOf({ views, viewOf, rows }: ScatteredRows): PickedRows[] {
  return views.map((view, number) => {
    const own = views.length === 1 ? rows : rows.filter((_, i) => viewOf[i] === number);
    return new PickedRows(own, view.rowCount);
  });
}

function collectTimes({ views, viewOf, rows }: ScatteredRows) {
  const times = views.map((view) => view.times());
  const ms = new Float64Array(rows.length);
  const hasNs = times.some(({ ns }) => ns !== undefined);
  const ns = hasNs ? new Uint32Array(rows.length) : undefined;
  for (let i = 0; i < rows.length; i++) {
    const time = times[viewOf[i] as number];
    const row = rows[i] as number;
    ms[i] = time?.ms[row] as number;
    if (ns !== undefined) ns[i] = time?.ns?.[row] ?? 0;
  }
  return { ms, ns };
}

function collectStreams({ views, viewOf, rows }: ScatteredRows) {
  const numbers = new Map<string, number>();
  const labels: StreamLabels[] = [];
  const codesOf = views.map((view) => {
    const streams = view.streams();
    return { codes: streams.codes, labels: streams.labels, numbers: new Map<number, number>() };
  });
  const codes = new Uint32Array(rows.length);
  for (let i = 0; i < rows.length; i++) {
    const source = codesOf[viewOf[i] as number] as (typeof codesOf)[number];
    const code = source.codes === undefined ? 0 : (source.codes[rows[i] as number] as number);
    let number = source.numbers.get(code);
    if (number === undefined) {
      const label = source.labels[code] as StreamLabels;
      number = numbers.get(label.text) ?? labels.push(label) - 1;
      numbers.set(label.text, number);
      source.numbers.set(code, number);
    }
    codes[i] = number;
  }
  return { labels, codes };
}

function collectPositions({ views, viewOf, rows }: ScatteredRows): Float64Array {
  const sources = views.map((view) => view.positions());
  const positions = new Float64Array(rows.length);
  for (let i = 0; i < rows.length; i++) {
    positions[i] = sources[viewOf[i] as number]?.[rows[i] as number] as number;
  }
  return positions;
}
