import type { Block } from "../../../kit/src/block.ts";
import type { RowOrder } from "./gather.ts";

/** Rows of several blocks with what they are sorted by. The arrays are of one length. */
export interface RowSet {
  readonly sourceOf: Uint32Array;
  readonly rowOf: Uint32Array;
  readonly ms: Float64Array;
  readonly ns: Uint32Array;
  readonly positions: Float64Array;
}

export function makeRowSet(length: number): RowSet {
  return {
    sourceOf: new Uint32Array(length),
    rowOf: new Uint32Array(length),
    ms: new Float64Array(length),
    ns: new Uint32Array(length),
    positions: new Float64Array(length),
  };
}

/** One set after the other. */
export function joinRows(parts: readonly RowSet[]): RowSet {
  if (parts.length === 1) return parts[0]!;
  const joined = makeRowSet(parts.reduce((sum, { ms }) => sum + ms.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.sourceOf.set(part.sourceOf, at);
    joined.rowOf.set(part.rowOf, at);
    joined.ms.set(part.ms, at);
    joined.ns.set(part.ns, at);
    joined.positions.set(part.positions, at);
    at += part.ms.length;
  }
  return joined;
}

/** Picks rows of a set. */
export function pickRows(rows: RowSet, picked: Uint32Array): RowSet {
  const out = makeRowSet(picked.length);
  for (let i = 0; i < picked.length; i++) {
    const from = picked[i]!;
    out.sourceOf[i] = rows.sourceOf[from]!;
    out.rowOf[i] = rows.rowOf[from]!;
    out.ms[i] = rows.ms[from]!;
    out.ns[i] = rows.ns[from]!;
    out.positions[i] = rows.positions[from]!;
  }
  return out;
}

/** The rows by time, those of equal time in the order of the log, then of the set. */
export function sortedByTime(rows: RowSet): RowSet {
  const { ms, ns, positions } = rows;
  const compare = (a: number, b: number) =>
    ms[a]! - ms[b]! || ns[a]! - ns[b]! || positions[a]! - positions[b]! || a - b;
  let isSorted = true;
  for (let i = 1; i < ms.length && isSorted; i++) isSorted = compare(i - 1, i) < 0;
  if (isSorted) return rows;
  return pickRows(rows, indices(ms.length).sort(compare));
}

/** A block's order of rows that are sorted by time: by the stream's text, and time as they are. */
export function orderByStream(rows: RowSet, blocks: readonly Block[]): RowOrder {
  const { sources, sourceOf } = onlyUsed(blocks, rows.sourceOf);
  const streams = sources.map((source) => source.streams());
  const texts = new Set(streams.flatMap(({ labels }) => labels.map(({ text }) => text)));
  const rank = new Map([...texts].sort().map((text, i) => [text, i]));
  const ranks = streams.map(({ labels }) => labels.map(({ text }) => rank.get(text) ?? 0));
  // A counting sort: stable, and one pass for any number of streams.
  const starts = new Uint32Array(rank.size + 1);
  const rankOf = new Uint32Array(sourceOf.length);
  for (let i = 0; i < rankOf.length; i++) {
    const source = sourceOf[i]!;
    const codes = streams[source]!.codes;
    const own = ranks[source]![codes === undefined ? 0 : codes[rows.rowOf[i]!]!]!;
    rankOf[i] = own;
    starts[own + 1]!++;
  }
  for (let i = 1; i < starts.length; i++) starts[i]! += starts[i - 1]!;
  const sortedSource = new Uint32Array(rankOf.length);
  const sortedRow = new Uint32Array(rankOf.length);
  const byTime = new Uint32Array(rankOf.length);
  for (let i = 0; i < rankOf.length; i++) {
    const to = starts[rankOf[i]!]!++;
    sortedSource[to] = sourceOf[i]!;
    byTime[i] = to;
    sortedRow[to] = rows.rowOf[i]!;
  }
  return { sources, sourceOf: sortedSource, rowOf: sortedRow, byTime };
}

/** Without the blocks of which there is no row: their columns would be read for nothing. */
function onlyUsed(
  blocks: readonly Block[],
  sourceOf: Uint32Array,
): { sources: readonly Block[]; sourceOf: Uint32Array } {
  const place = new Int32Array(blocks.length).fill(-1);
  const sources: Block[] = [];
  const renumbered = sourceOf.map((i) => {
    if (place[i]! < 0) place[i] = sources.push(blocks[i]!) - 1;
    return place[i]!;
  });
  return { sources, sourceOf: renumbered };
}

function indices(length: number): Uint32Array {
  const out = new Uint32Array(length);
  for (let i = 0; i < length; i++) out[i] = i;
  return out;
}
