import type { Column, Streams } from "../../../kit/src/block.ts";
import type { SortKey } from "../language/ast.ts";
import type { ScatteredRows } from "./collect.ts";
import { codeAt, gatherNumbers } from "./column.ts";
import { compareNatural } from "./natural-order.ts";
import { numberWithUnit } from "./unit-number.ts";
import type { View } from "./view.ts";

/**
 * What rows are ordered by. `newest`: records as they are answered, newest first; equal times by stream,
 * then the later position first. `oldest`: the reverse of it. `position`: as they were stored, those of one position oldest first. `keys`: by fields, empty before numbers before texts (in natural order), and what is equal then
 * as `newest`.
 */
export type RowOrder =
  | { readonly kind: "newest" }
  | { readonly kind: "oldest" }
  | { readonly kind: "position" }
  | { readonly kind: "keys"; readonly by: readonly SortKey[] };

/** The rows' numbers 0 … n − 1, in order. Equal rows keep their order. */
export function orderedRows(scattered: ScatteredRows, order: RowOrder): Uint32Array {
  const count = scattered.rows.length;
  const indices = new Uint32Array(count);
  for (let i = 0; i < count; i++) indices[i] = i;
  const compare = comparatorOf(scattered, order);
  if (isOrdered(indices, compare)) return indices;
  return indices.sort((a, b) => compare(a, b) || a - b);
}

type Compare = (a: number, b: number) => number;

function isOrdered(indices: Uint32Array, compare: Compare): boolean {
  for (let i = 1; i < indices.length; i++) if (compare(i - 1, i) > 0) return false;
  return true;
}

function comparatorOf(scattered: ScatteredRows, order: RowOrder): Compare {
  const newest = newestFirst(scattered);
  if (order.kind === "newest") return newest;
  if (order.kind === "oldest") return (a, b) => newest(b, a);
  if (order.kind === "position") {
    const positionAt = positionsOf(scattered);
    return (a, b) => positionAt(a) - positionAt(b) || newest(b, a);
  }
  const keys = order.by.map(({ field, desc }) => keyComparator(scattered, field, desc));
  const [first] = keys;
  if (keys.length === 1 && first !== undefined) return (a, b) => first(a, b) || newest(a, b);
  return (a, b) => {
    for (const key of keys) {
      const result = key(a, b);
      if (result !== 0) return result;
    }
    return newest(a, b);
  };
}

/** Times are taken out of the views once, since each is compared many times. */
function newestFirst(scattered: ScatteredRows): Compare {
  const { ms, ns } = timeKeys(scattered);
  const ties = tieComparator(scattered);
  return (a, b) =>
    (ms[b] as number) - (ms[a] as number) || (ns[b] as number) - (ns[a] as number) || ties(a, b);
}

function timeKeys({ views, viewOf, rows }: ScatteredRows) {
  const times = views.map((view) => view.times());
  const ms = new Float64Array(rows.length);
  const ns = new Uint32Array(rows.length);
  for (let i = 0; i < rows.length; i++) {
    const time = times[viewOf[i] as number];
    ms[i] = time?.ms[rows[i] as number] as number;
    ns[i] = time?.ns?.[rows[i] as number] ?? 0;
  }
  return { ms, ns };
}

/**
 * Streams and positions of a view are looked up when the first two of its rows have equal times, and then kept: where
 * times are of whole seconds, or those of a shipper's request, most comparisons end here.
 */
function tieComparator(scattered: ScatteredRows): Compare {
  const { views, viewOf, rows } = scattered;
  const streams = new Array<Streams | undefined>(views.length);
  const positionAt = positionsOf(scattered);
  const streamAt = (i: number) => {
    const of = viewOf[i] as number;
    streams[of] ??= (views[of] as View).streams();
    const { labels, codes } = streams[of];
    return labels[codes === undefined ? 0 : (codes[rows[i] as number] as number)]?.text ?? "";
  };
  return (a, b) => {
    const [x, y] = [streamAt(a), streamAt(b)];
    if (x !== y) return x < y ? -1 : 1;
    return positionAt(b) - positionAt(a);
  };
}

function positionsOf({ views, viewOf, rows }: ScatteredRows): (i: number) => number {
  const positions = new Array<Float64Array | undefined>(views.length);
  return (i) => {
    const of = viewOf[i] as number;
    positions[of] ??= (views[of] as View).positions();
    return positions[of][rows[i] as number] as number;
  };
}

function keyComparator(scattered: ScatteredRows, field: string, desc: boolean): Compare {
  const sign = desc ? -1 : 1;
  if (field === "_time" && scattered.views.every((view) => view.hasTimes())) {
    const { ms, ns } = timeKeys(scattered);
    return (a, b) =>
      sign * ((ms[a] as number) - (ms[b] as number) || (ns[a] as number) - (ns[b] as number));
  }
  const columns = scattered.views.map((view) => view.column(field));
  const numbers = rankedNumbers(scattered, columns);
  const compareTexts = textComparator(scattered, columns);
  return (a, b) => {
    const x = numbers[a] as number;
    const y = numbers[b] as number;
    if (x === y) return x === Number.POSITIVE_INFINITY ? sign * compareTexts(a, b) : 0;
    return x < y ? -sign : sign;
  };
}

/** A number for each row that orders it: −∞ for the empty value, +∞ for a text. */
function rankedNumbers(
  { viewOf, rows }: ScatteredRows,
  columns: readonly (Column | undefined)[],
): Float64Array {
  const ranked = new Float64Array(rows.length).fill(Number.NEGATIVE_INFINITY);
  const sources = columns.map((column) => column?.numbers());
  for (let i = 0; i < rows.length; i++) {
    const column = columns[viewOf[i] as number];
    if (column === undefined) continue;
    const code = codeAt(column, rows[i] as number);
    const number = sources[viewOf[i] as number]?.[code] as number;
    if (!Number.isNaN(number)) {
      ranked[i] = number;
      continue;
    }
    const values = column.values();
    if (values.offsets[code] === values.offsets[code + 1]) continue;
    const withUnit = numberWithUnit(values, code);
    ranked[i] = Number.isNaN(withUnit) ? Number.POSITIVE_INFINITY : withUnit;
  }
  return ranked;
}

function textComparator(
  { viewOf, rows }: ScatteredRows,
  columns: readonly (Column | undefined)[],
): Compare {
  return (a, b) => {
    const left = columns[viewOf[a] as number];
    const right = columns[viewOf[b] as number];
    if (left === undefined || right === undefined) return 0;
    const i = codeAt(left, rows[a] as number);
    const j = codeAt(right, rows[b] as number);
    return compareNatural(
      { values: left.values(), index: i },
      { values: right.values(), index: j },
    );
  };
}

/**
 * A number of each row that is the smaller the earlier the row comes, as far as the first key
 * tells; undefined when the first key may be text. It lets most rows be refused without a sort.
 */
export function firstKeys(
  view: View,
  rows: Uint32Array,
  order: RowOrder,
): Float64Array | undefined {
  const keys = new Float64Array(rows.length);
  if (order.kind === "position") {
    const positions = view.positions();
    for (let i = 0; i < rows.length; i++) keys[i] = positions[rows[i] as number] as number;
    return keys;
  }
  const isByTime = order.kind !== "keys";
  const first = isByTime ? { field: "_time", desc: order.kind === "newest" } : order.by[0];
  if (first === undefined) return undefined;
  if (first.field === "_time" && (view.hasTimes() || isByTime)) {
    const { ms } = view.times();
    for (let i = 0; i < rows.length; i++) keys[i] = ms[rows[i] as number] as number;
  } else {
    const column = view.column(first.field);
    gatherNumbers(column, rows, keys);
    if (keys.some(Number.isNaN)) return undefined;
  }
  if (first.desc) for (let i = 0; i < keys.length; i++) keys[i] = -(keys[i] as number);
  return keys;
}
