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

/** The rows from `from` to before `end`, in the same memory. */
export function rowsBetween(rows: RowSet, from: number, end: number): RowSet {
  return {
    sourceOf: rows.sourceOf.subarray(from, end),
    rowOf: rows.rowOf.subarray(from, end),
    ms: rows.ms.subarray(from, end),
    ns: rows.ns.subarray(from, end),
    positions: rows.positions.subarray(from, end),
  };
}

/**
 * The rows by time, those of equal time in the order of the log, then of the set. What comes in runs that ascend,
 * as batches do, is merged run by run: a merge of runs that follow each other compares two rows.
 */
export function sortedByTime(rows: RowSet): RowSet {
  let bounds = runsOf(rows);
  if (bounds.length === 2) return rows;
  let from: Uint32Array = indices(rows.ms.length);
  let to: Uint32Array = new Uint32Array(from.length);
  while (bounds.length > 2) {
    const merged = [0];
    for (let run = 0; run + 1 < bounds.length; run += 2) {
      const end = bounds[run + 2] ?? bounds[run + 1]!;
      mergeRuns(rows, from, to, bounds[run]!, bounds[run + 1]!, end);
      merged.push(end);
    }
    bounds = merged;
    [from, to] = [to, from];
  }
  return pickRows(rows, from);
}

/** Where runs of ascending rows begin, and the end of the last. */
function runsOf(rows: RowSet): number[] {
  const bounds = [0];
  for (let i = 1; i < rows.ms.length; i++) if (isAfter(rows, i - 1, i)) bounds.push(i);
  bounds.push(rows.ms.length);
  return bounds;
}

/** Whether row a comes after row b; a stands before b in the set or is of a run that does. */
function isAfter({ ms, ns, positions }: RowSet, a: number, b: number): boolean {
  if (ms[a] !== ms[b]) return ms[a]! > ms[b]!;
  if (ns[a] !== ns[b]) return ns[a]! > ns[b]!;
  return positions[a]! > positions[b]!;
}

/** Merges `from[start … middle)` and `from[middle … end)` into the same places of `to`. */
function mergeRuns(
  rows: RowSet,
  from: Uint32Array,
  to: Uint32Array,
  start: number,
  middle: number,
  end: number,
): void {
  let a = start;
  let b = middle;
  let at = start;
  if (b < end && isAfter(rows, from[a]!, from[end - 1]!)) {
    // The second run lies wholly before the first.
    to.set(from.subarray(middle, end), start);
    at += end - middle;
    b = end;
  } else if (b < end && isAfter(rows, from[middle - 1]!, from[middle]!)) {
    while (a < middle && b < end)
      to[at++] = isAfter(rows, from[a]!, from[b]!) ? from[b++]! : from[a++]!;
  }
  to.set(from.subarray(a, middle), at);
  to.set(from.subarray(b, end), at + middle - a);
}

function indices(length: number): Uint32Array {
  const out = new Uint32Array(length);
  for (let i = 0; i < length; i++) out[i] = i;
  return out;
}
