import type { Codes } from "../../../kit/src/block.ts";
import { chunkBytesMax, chunkRowsMax } from "../limits.ts";
import { createGatherPipe } from "../pipe/create.ts";
import type { GatherPipe, Rows } from "../pipe/pipe.ts";
import { SortPipe } from "../pipe/sort.ts";
import type { RecordKey, Sink } from "../plan/plan.ts";
import { encodeScattered } from "../table/ndjson-scattered.ts";
import { TopRows } from "../table/top-rows.ts";
import type { View } from "../table/view.ts";
import { Matches } from "./matches.ts";

/** Records of one part, in the order of the sink, serialised; with what the main thread orders them by. */
export interface RecordsChunk {
  /** NDJSON: line i is `bytes[offsets[i] … offsets[i + 1]]`. */
  readonly bytes: Uint8Array;
  readonly offsets: Uint32Array;
  readonly ms: Float64Array;
  readonly ns: Uint32Array;
  readonly streams: readonly string[];
  readonly streamCodes: Codes;
  readonly positions: Float64Array;
  /** The part has more that may be wanted. */
  readonly more: boolean;
}

/** What a worker found in one part. */
export type PartialAnswer =
  | { readonly kind: "records"; readonly chunk: RecordsChunk }
  | { readonly kind: "gather"; readonly partial: unknown };

/** Takes the rows of a part in, block by block. */
export interface PartSink {
  readonly byteSize: number;
  /** Records older than this are not wanted any more, in milliseconds. */
  readonly floorMs: number | undefined;
  /** Nor are those newer than this, where the oldest come first. */
  readonly ceilingMs?: number | undefined;
  add(rows: Rows): void;
  finish(): PartialAnswer;
}

/** Where the records of a part that were answered before end. */
export interface PartEnd {
  readonly key: RecordKey;
  /** How many of the part's records of this very key were answered. */
  readonly ordinal: number;
}

/** An empty sink; `after`: only what comes after there. */
export function createSink(sink: Sink, after: PartEnd | undefined): PartSink {
  switch (sink.kind) {
    case "records":
      return new RecordsSink(sink, after);
    case "newest":
      return new GatherSink(createNewest(sink.wanted));
    case "gather":
      return new GatherSink(createGatherPipe(sink.pipe));
    case "replay":
      return new ReplaySink(sink);
    case "matches":
      return new MatchesSink(sink);
  }
}

/** Keeps the newest rows. */
export function createNewest(wanted: number | undefined): GatherPipe {
  return new SortPipe({ kind: "newest" }, 0, wanted);
}

class GatherSink implements PartSink {
  readonly #pipe: GatherPipe;

  constructor(pipe: GatherPipe) {
    this.#pipe = pipe;
  }

  get byteSize(): number {
    return this.#pipe.byteSize;
  }

  get floorMs(): number | undefined {
    return this.#pipe.floorMs;
  }

  add(rows: Rows): void {
    this.#pipe.add(rows);
  }

  finish(): PartialAnswer {
    return { kind: "gather", partial: this.#pipe.export() };
  }
}

/** Rows of one shard in the order in which they were stored. */
export function createReplay(wanted: number): GatherPipe {
  return new SortPipe({ kind: "position" }, 0, wanted);
}

class ReplaySink extends GatherSink {
  readonly #from: number;
  readonly #upTo: number;

  constructor({ from, upTo, wanted }: Extract<Sink, { readonly kind: "replay" }>) {
    super(createReplay(wanted));
    this.#from = from;
    this.#upTo = upTo;
  }

  override add({ view, rows }: Rows): void {
    super.add({ view, rows: rowsBetween(view, rows, this.#from, this.#upTo) });
  }
}

/** The matches of some positions of a part. All are counted, so none is too old to be looked at. */
class MatchesSink implements PartSink {
  readonly floorMs = undefined;
  readonly #matches: Matches;
  readonly #from: number;
  readonly #upTo: number;

  constructor({ from, upTo, keep }: Extract<Sink, { readonly kind: "matches" }>) {
    this.#matches = new Matches(keep);
    this.#from = from;
    this.#upTo = upTo;
  }

  get byteSize(): number {
    return this.#matches.byteSize;
  }

  add({ view, rows }: Rows): void {
    this.#matches.add({ view, rows: rowsBetween(view, rows, this.#from, this.#upTo) });
  }

  finish(): PartialAnswer {
    return { kind: "gather", partial: this.#matches.export() };
  }
}

/** The rows of some positions, both ends included. */
function rowsBetween(view: View, rows: Uint32Array, from: number, upTo: number): Uint32Array {
  const positions = view.positions();
  return rows.filter((row) => {
    const position = positions[row] as number;
    return position >= from && position <= upTo;
  });
}

class RecordsSink implements PartSink {
  readonly #top: TopRows;
  readonly #from: RecordKey | undefined;
  readonly #oldestFirst: boolean;
  readonly #skip: number;
  /** Rows that this piece of work may answer. */
  readonly #rowsMax: number;

  constructor(sink: Extract<Sink, { readonly kind: "records" }>, after: PartEnd | undefined) {
    this.#from = after?.key ?? sink.from;
    this.#skip = after?.ordinal ?? 0;
    this.#oldestFirst = sink.oldestFirst === true;
    this.#rowsMax = Math.min(sink.wanted ?? Number.POSITIVE_INFINITY, chunkRowsMax);
    const kind = this.#oldestFirst ? "oldest" : "newest";
    // One more tells whether the part has more.
    this.#top = new TopRows({ kind }, this.#skip + this.#rowsMax + 1);
  }

  get byteSize(): number {
    return this.#top.byteSize;
  }

  get floorMs(): number | undefined {
    return this.#top.floorMs;
  }

  get ceilingMs(): number | undefined {
    return this.#top.ceilingMs;
  }

  add({ view, rows }: Rows): void {
    const from = this.#from;
    const sign = this.#oldestFirst ? -1 : 1;
    this.#top.add(view, from === undefined ? rows : rowsFrom(view, rows, from, sign));
  }

  finish(): PartialAnswer {
    const { views, viewOf, rows } = this.#top.ordered();
    const end = Math.min(this.#skip + this.#rowsMax, rows.length);
    const scattered = {
      views,
      viewOf: viewOf.slice(this.#skip, end),
      rows: rows.slice(this.#skip, end),
    };
    const { bytes, offsets } = encodeScattered(scattered, chunkBytesMax);
    const count = offsets.length - 1;
    const more = this.#skip + count < rows.length;
    return { kind: "records", chunk: { bytes, offsets, ...keysOf(scattered, count), more } };
  }
}

function keysOf(
  { views, viewOf, rows }: { views: readonly View[]; viewOf: Uint32Array; rows: Uint32Array },
  count: number,
) {
  const ms = new Float64Array(count);
  const ns = new Uint32Array(count);
  const positions = new Float64Array(count);
  const streamCodes = new Uint32Array(count);
  const streams = new Map<string, number>();
  const sources = views.map((view) => ({
    times: view.times(),
    positions: view.positions(),
    streams: view.streams(),
  }));
  for (let i = 0; i < count; i++) {
    const source = sources[viewOf[i] as number] as (typeof sources)[number];
    const row = rows[i] as number;
    ms[i] = source.times.ms[row] as number;
    ns[i] = source.times.ns?.[row] ?? 0;
    positions[i] = source.positions[row] as number;
    const { labels, codes } = source.streams;
    const text = labels[codes === undefined ? 0 : (codes[row] as number)]?.text ?? "";
    let code = streams.get(text);
    if (code === undefined) {
      code = streams.size;
      streams.set(text, code);
    }
    streamCodes[i] = code;
  }
  return { ms, ns, positions, streamCodes, streams: [...streams.keys()] };
}

/** The rows that come at or after a key in the order of answers, or with the sign −1 in its reverse. */
function rowsFrom(view: View, rows: Uint32Array, from: RecordKey, sign: 1 | -1): Uint32Array {
  const { ms, ns } = view.times();
  const { labels, codes } = view.streams();
  return rows.filter((row) => {
    const byTime = from.ms - (ms[row] as number) || from.ns - (ns?.[row] ?? 0);
    if (byTime !== 0) return byTime * sign > 0;
    const stream = labels[codes === undefined ? 0 : (codes[row] as number)]?.text ?? "";
    if (stream !== from.stream) return stream > from.stream === sign > 0;
    return ((view.positions()[row] as number) - from.position) * sign <= 0;
  });
}
