/** What lies between two positions of a source, as far as it has records; positions are czxids or offsets + 1. */
export interface Piece {
  /** The first item, and the one behind the last. */
  readonly first: number;
  readonly end: number;
  /** Everything of the source up to here is in this piece or one before. */
  readonly through: bigint;
}

/** Items of a source in the order of their positions; items of one position are never torn apart. */
export interface Positioned {
  readonly count: number;
  /** Never less than that of the item before, and at most `through`. */
  positionOf(index: number): bigint;
  sizeOf(index: number): number;
  readonly through: bigint;
}

export interface PieceLimits {
  readonly itemsMax: number;
  readonly bytesMax: number;
}

/**
 * Cuts items so that each piece is at every shard either stored or not: at the ends that shards hold, and where a
 * piece would become too large. What lies above all ends stays in one piece as far as the limits allow.
 */
export function piecesOf(
  items: Positioned,
  ends: Iterable<bigint>,
  limits: PieceLimits,
): readonly Piece[] {
  const cuts = [...new Set(ends)].filter((end) => end < items.through);
  cuts.sort((a, b) => (a < b ? -1 : 1));
  const pieces: Piece[] = [];
  let first = 0;
  for (const through of [...cuts, items.through]) {
    const end = indexAbove(items, through, first);
    cutBySize(items, { first, end, through }, limits, pieces);
    first = end;
  }
  return pieces;
}

/** The piece in two halves; undefined when all of it has one position. */
export function halvesOf(items: Positioned, piece: Piece): readonly [Piece, Piece] | undefined {
  const { first, end, through } = piece;
  const middle = first + Math.floor((end - first) / 2);
  const at = groupEdge(items, first, middle, end);
  if (at === first || at === end) return undefined;
  return [
    { first, end: at, through: items.positionOf(at - 1) },
    { first: at, end, through },
  ];
}

function cutBySize(
  items: Positioned,
  { first, end, through }: Piece,
  { itemsMax, bytesMax }: PieceLimits,
  pieces: Piece[],
): void {
  let bytes = 0;
  for (let at = first; at < end; at++) {
    const size = items.sizeOf(at);
    if (at > first && (bytes + size > bytesMax || at - first >= itemsMax)) {
      const edge = groupEdge(items, first, at, end);
      if (edge > first && edge < end) {
        pieces.push({ first, end: edge, through: items.positionOf(edge - 1) });
        first = edge;
        // From here on the items after the edge are counted anew.
        at = edge;
        bytes = 0;
      }
    }
    bytes += items.sizeOf(at);
  }
  if (end > first) pieces.push({ first, end, through });
}

/** Where a position begins that is at `at` or, where that would be `first`, the one after. */
function groupEdge(items: Positioned, first: number, at: number, end: number): number {
  let edge = at;
  while (edge > first && items.positionOf(edge - 1) === items.positionOf(at)) edge--;
  if (edge > first) return edge;
  edge = at + 1;
  while (edge < end && items.positionOf(edge) === items.positionOf(at)) edge++;
  return edge;
}

/** The first item above a position, at `from` or later. */
function indexAbove(items: Positioned, position: bigint, from: number): number {
  let low = from;
  let high = items.count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (items.positionOf(middle) <= position) low = middle + 1;
    else high = middle;
  }
  return low;
}
