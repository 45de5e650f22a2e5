import type { Block } from "../../../kit/src/block.ts";
import type { RowSet } from "./row-order.ts";
import type { Scratch } from "./scratch.ts";

/** The rows of a new block, which lie by stream and time, source by source: so loops over a column's rows know its type. */
export interface Placing {
  /** Only those of which there are rows: the columns of others would be read for nothing. */
  readonly sources: readonly Block[];
  readonly rowCount: number;
  /** The rows of source s are `rows[starts[s] … starts[s + 1])`, by time, and go to `places[…]`. */
  readonly starts: Uint32Array;
  readonly rows: Uint32Array;
  readonly places: Uint32Array;
  /** Where its pieces come from. */
  readonly scratch: Scratch;
}

/** What rows have besides fields. */
export interface BlockRows extends Placing {
  /** Canonical texts, in their order. */
  readonly streams: readonly string[];
  /** The stream of each row by time. */
  readonly streamsByTime: Uint32Array;
  /** Milliseconds of each row in the order of rows. */
  readonly ms: Float64Array;
}

/** Places rows that are sorted by time: by the text of their stream, and time as they are. */
export function placeRows(rows: RowSet, blocks: readonly Block[], scratch: Scratch): BlockRows {
  const rowCount = rows.ms.length;
  const counts = new Uint32Array(blocks.length);
  for (let i = 0; i < rowCount; i++) counts[rows.sourceOf[i]!]!++;
  const used = [...counts.keys()].filter((source) => counts[source]! > 0);
  const sources = used.map((source) => blocks[source]!);
  const starts = new Uint32Array(sources.length + 1);
  // From here on, where the next row of each block goes.
  for (const [i, source] of used.entries()) {
    starts[i + 1] = starts[i]! + counts[source]!;
    counts[source] = starts[i]!;
  }
  const { streams, streamsByTime, counts: streamCounts } = streamsOf(rows, blocks, used, scratch);
  const places = placesOf(streamCounts);
  const ownRows = scratch.u32(rowCount);
  const ownPlaces = scratch.u32(rowCount);
  const ms = scratch.f64(rowCount);
  for (let i = 0; i < rowCount; i++) {
    const place = places[streamsByTime[i]!]!++;
    const at = counts[rows.sourceOf[i]!]!++;
    ownRows[at] = rows.rowOf[i]!;
    ownPlaces[at] = place;
    ms[place] = rows.ms[i]!;
  }
  return {
    sources,
    rowCount,
    starts,
    rows: ownRows,
    places: ownPlaces,
    scratch,
    streams,
    streamsByTime,
    ms,
  };
}

/** Where each of so many things, sorted, begins. */
function placesOf(counts: Uint32Array): Uint32Array {
  const starts = new Uint32Array(counts.length);
  for (let i = 1; i < counts.length; i++) starts[i] = starts[i - 1]! + counts[i - 1]!;
  return starts;
}

interface RowStreams {
  readonly streams: readonly string[];
  readonly streamsByTime: Uint32Array;
  /** Rows of each stream. */
  readonly counts: Uint32Array;
}

function streamsOf(
  rows: RowSet,
  blocks: readonly Block[],
  used: readonly number[],
  scratch: Scratch,
): RowStreams {
  const all = new Map<number, ReturnType<Block["streams"]>>();
  const texts = new Set<string>();
  for (const source of used) {
    const streams = blocks[source]!.streams();
    all.set(source, streams);
    for (const { text } of streams.labels) texts.add(text);
  }
  const sorted = [...texts].sort();
  const rankOf = new Map(sorted.map((text, rank) => [text, rank]));
  const ownCodes = blocks.map((_, source) => all.get(source)?.codes);
  const ranks = blocks.map((_, source) =>
    Uint32Array.from(all.get(source)?.labels ?? [], ({ text }) => rankOf.get(text) ?? 0),
  );
  const rowCount = rows.ms.length;
  const streamsByTime = scratch.u32(rowCount);
  const rankCounts = new Uint32Array(sorted.length);
  for (let i = 0; i < rowCount; i++) {
    const source = rows.sourceOf[i]!;
    const codes = ownCodes[source];
    const rank = ranks[source]![codes === undefined ? 0 : codes[rows.rowOf[i]!]!]!;
    streamsByTime[i] = rank;
    rankCounts[rank]!++;
  }
  const streams = sorted.filter((_, rank) => rankCounts[rank]! > 0);
  if (streams.length < sorted.length) renumber(streamsByTime, rankCounts);
  return { streams, streamsByTime, counts: rankCounts.filter((count) => count > 0) };
}

/** Streams of a source of which no row is in the block have no number in it. */
function renumber(streamsByTime: Uint32Array, rankCounts: Uint32Array): void {
  let next = 0;
  const numberOf = rankCounts.map((count) => (count > 0 ? next++ : 0));
  for (let i = 0; i < streamsByTime.length; i++) streamsByTime[i] = numberOf[streamsByTime[i]!]!;
}
