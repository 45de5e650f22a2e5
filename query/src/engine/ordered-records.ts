import type { RecordLimits } from "../limits.ts";
import type { ScatteredRows } from "../table/collect.ts";
import { ScatteredLines } from "../table/ndjson-scattered.ts";
import type { RecordsChunk } from "./sink.ts";

/** Rows of a part in their order, some of them. */
export interface FoundRecords {
  readonly rows: ScatteredRows;
  /** Those before `from` were answered already. */
  readonly from: number;
  readonly end: number;
  /** The part has more behind them that may be wanted. */
  readonly more: boolean;
}

/** Rows of a part in their order, read and ready to be written: given out chunk by chunk, none is looked for again. */
export class OrderedRecords {
  readonly #lines: ScatteredLines;
  readonly #keys: Keys;
  readonly #end: number;
  readonly #more: boolean;
  readonly #limits: RecordLimits;
  #at: number;

  constructor({ rows, from, end, more }: FoundRecords, limits: RecordLimits) {
    const { views, viewOf } = rows;
    const wanted = {
      views,
      viewOf: viewOf.slice(from, end),
      rows: rows.rows.slice(from, end),
    };
    this.#lines = new ScatteredLines(wanted);
    this.#keys = keysOf(wanted);
    this.#at = 0;
    this.#end = wanted.rows.length;
    this.#more = more;
    this.#limits = limits;
  }

  /** Bytes held, near enough. */
  get byteSize(): number {
    return this.#lines.byteSize + this.#end * 40;
  }

  /** Whether all rows have been given out. */
  get isDone(): boolean {
    return this.#at === this.#end;
  }

  /** The next rows. `rest`: by what name those after them will be known. */
  next(rest: string): RecordsChunk {
    const from = this.#at;
    const upTo = Math.min(this.#end, from + this.#limits.chunkRows);
    const { bytes, offsets } = this.#lines.encode(from, upTo, this.#limits.chunkBytes);
    this.#at = from + offsets.length - 1;
    const more = this.#more || !this.isDone;
    const chunk = { bytes, offsets, ...keysBetween(this.#keys, from, this.#at), more };
    return this.isDone ? chunk : { ...chunk, rest };
  }
}

interface Keys {
  readonly ms: Float64Array;
  readonly ns: Uint32Array;
  readonly positions: Float64Array;
  readonly streamCodes: Uint32Array;
  readonly streams: readonly string[];
}

function keysOf({ views, viewOf, rows }: ScatteredRows): Keys {
  const count = rows.length;
  const ms = new Float64Array(count);
  const ns = new Uint32Array(count);
  const positions = new Float64Array(count);
  const streamCodes = new Uint32Array(count);
  const streams = new Map<string, number>();
  const used = new Set(viewOf);
  const sources = views.map((view, number) =>
    used.has(number)
      ? { times: view.times(), positions: view.positions(), streams: view.streams() }
      : undefined,
  );
  for (let i = 0; i < count; i++) {
    const source = sources[viewOf[i] as number] as NonNullable<(typeof sources)[number]>;
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

/** Memory of their own, since it is moved to another thread; and the streams of these rows only. */
function keysBetween({ ms, ns, positions, streamCodes, streams }: Keys, from: number, end: number) {
  const codes = streamCodes.slice(from, end);
  const codeOf = new Map<number, number>();
  for (let i = 0; i < codes.length; i++) {
    const known = codes[i] as number;
    let code = codeOf.get(known);
    if (code === undefined) {
      code = codeOf.size;
      codeOf.set(known, code);
    }
    codes[i] = code;
  }
  return {
    ms: ms.slice(from, end),
    ns: ns.slice(from, end),
    positions: positions.slice(from, end),
    streamCodes: codes,
    streams: Array.from(codeOf.keys(), (code) => streams[code] as string),
  };
}
