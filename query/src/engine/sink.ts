import type { Codes } from "../../../kit/src/block.ts";
import type { Moment } from "../../../kit/src/time.ts";
import { type RecordLimits, recordLimits } from "../limits.ts";
import { createGatherPipe } from "../pipe/create.ts";
import type { GatherPipe, Rows } from "../pipe/pipe.ts";
import { SortPipe } from "../pipe/sort.ts";
import type { RecordKey, Sink } from "../plan/plan.ts";
import { TopRows } from "../table/top-rows.ts";
import type { View } from "../table/view.ts";
import { Matches } from "./matches.ts";
import { type FoundRecords, OrderedRecords } from "./ordered-records.ts";

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
  /** What the worker may have kept for the next chunk, by name. */
  readonly rest?: string;
}

/** What a worker found in one part. */
export type PartialAnswer =
  | { readonly kind: "records"; readonly chunk: RecordsChunk }
  | { readonly kind: "gather"; readonly partial: unknown };

/** What a sink has in the end. */
export type Found =
  | { readonly kind: "records"; readonly records: OrderedRecords }
  | { readonly kind: "gather"; readonly partial: unknown };

/** Takes the rows of a part in, block by block. */
export interface PartSink {
  readonly byteSize: number;
  /** Records older than this are not wanted any more, in milliseconds. */
  readonly floorMs: number | undefined;
  /** Nor are those newer than this, where the oldest come first. */
  readonly ceilingMs?: number | undefined;
  add(rows: Rows): void;
  /**
   * Is asked where much memory is held. True: what is there is worth an answer by itself, and is cut where a row of a block
   * from `next` on could come; the part is read on later.
   */
  isEnough?(next: Moment): boolean;
  finish(): Found;
}

/** Where the records of a part that were answered before end. */
export interface PartEnd {
  readonly key: RecordKey;
  /** How many of the part's records of this very key were answered. */
  readonly ordinal: number;
  /** The `rest` of the chunk before. */
  readonly rest?: string | undefined;
}

/** An empty sink; `after`: only what comes after there. */
export function createSink(sink: Sink, after: PartEnd | undefined, limits: RecordLimits): PartSink {
  switch (sink.kind) {
    case "records":
      return new RecordsSink(sink, after, limits);
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

/** What a part gives of which nothing can be read. */
export function answerOfNothing(sink: Sink): PartialAnswer {
  const found = createSink(sink, undefined, recordLimits).finish();
  return found.kind === "gather" ? found : { kind: "records", chunk: found.records.next("") };
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

  finish(): Found {
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

  finish(): Found {
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
  /** Rows that this piece of work may find. */
  readonly #rowsMax: number;
  readonly #limits: RecordLimits;
  /** Rows from this time on are left to the next piece of work, in milliseconds. */
  #cutMs: number | undefined;

  constructor(
    sink: Extract<Sink, { readonly kind: "records" }>,
    after: PartEnd | undefined,
    limits: RecordLimits,
  ) {
    this.#limits = limits;
    this.#from = after?.key ?? sink.from;
    this.#skip = after?.ordinal ?? 0;
    this.#oldestFirst = sink.oldestFirst === true;
    this.#rowsMax = Math.min(sink.wanted ?? Number.POSITIVE_INFINITY, limits.orderedRows);
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

  isEnough({ ms }: Moment): boolean {
    const { rows } = this.#top.ordered();
    const certain = this.#countBefore(ms);
    if (certain > this.#skip + this.#limits.fewRows) {
      this.#cutMs = ms;
      return true;
    }
    // Few rows of many blocks: they are copied, so that the blocks go.
    if (rows.length > 0 && rows.length <= this.#limits.fewRows) this.#top.compact();
    return false;
  }

  finish(): Found {
    const rows = this.#top.ordered();
    const count = this.#cutMs === undefined ? rows.rows.length : this.#countBefore(this.#cutMs);
    const end = Math.min(this.#skip + this.#rowsMax, count);
    const more = this.#cutMs !== undefined || end < rows.rows.length;
    const found: FoundRecords = { rows, from: this.#skip, end, more };
    return { kind: "records", records: new OrderedRecords(found, this.#limits) };
  }

  /** How many of the rows, which are in order, come before all others of a time. */
  #countBefore(timeMs: number): number {
    const { views, viewOf, rows } = this.#top.ordered();
    const sign = this.#oldestFirst ? -1 : 1;
    let [low, high] = [0, rows.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const { ms } = (views[viewOf[middle] as number] as View).times();
      if (((ms[rows[middle] as number] as number) - timeMs) * sign > 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
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
