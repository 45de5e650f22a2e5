import type { Moment } from "../../kit/src/time.ts";

/**
 * What the query room asks of whoever stores records. It never imports storage: `services` hands it
 * a `Source` on the main thread and a `PartReader` in each worker.
 */

/** A half-open range of time: `from` is in it, `to` is not. */
export interface TimeRange {
  readonly from: Moment;
  readonly to: Moment;
}

/** A piece of a cut that one worker reads in one turn. Plain data: it is posted to threads. */
export interface Part {
  /** Inclusive bounds of the records' times. */
  readonly timeMin: Moment;
  readonly timeMax: Moment;
  readonly rows: number;
  /** Stored bytes, for sharing work out and for the scanned-bytes count. */
  readonly bytes: number;
  /** Records of streams that Logkeep itself writes, such as `_rejected`. */
  readonly internal: boolean;
  /** Where it lies; only the `PartReader` reads this. */
  readonly ref: unknown;
}

/** What a query sees: a state of every shard, pinned until released. */
export interface Cut {
  readonly parts: readonly Part[];
  /** Shards that had no owner to ask, by name; an answer without them is partial. */
  readonly missing: readonly string[];
  release(): void;
}

export interface Source {
  open(tenant: string, range: TimeRange): Promise<Cut>;
}

/** Opens the blocks of a part, in the thread that evaluates them. */
export interface PartReader {
  blocks(part: Part): Iterable<Block>;
}

/** Up to 65,536 records, column by column. An absent field and an empty value are the same thing. */
export interface Block {
  readonly rowCount: number;
  /** Inclusive bounds. */
  readonly timeMin: Moment;
  readonly timeMax: Moment;
  /** Names of the stored fields, `_msg` among them, without `_time` and `_stream`. */
  readonly fieldNames: readonly string[];
  times(): Times;
  streams(): Streams;
  /** The position in its shard's log of each row's entry, ascending within a stream and time. */
  positions(): Float64Array;
  /** Undefined when no row has the field. */
  column(field: string): Column | undefined;
  /** False only when no row's value of the field can contain all of these tokens (words as in `kit/src/tokens.ts`). */
  mayContain(field: string, tokens: readonly string[]): boolean;
  /** Numeric bounds, when every value of the field is a number; undefined: unknown. */
  bounds(field: string): { readonly min: number; readonly max: number } | undefined;
}

/** `_time` of each row; `ns` (0 to 999,999 within the millisecond) is undefined when all are zero. */
export interface Times {
  readonly ms: Float64Array;
  readonly ns: Uint32Array | undefined;
}

/** The streams of a block: `labels[codes[row]]`; without codes every row is of `labels[0]`. */
export interface Streams {
  readonly labels: readonly StreamLabels[];
  readonly codes: Codes | undefined;
}

export interface StreamLabels {
  /** The canonical text: `{host="web-03",service="web"}`, names sorted, values quoted as JSON does. */
  readonly text: string;
  readonly pairs: ReadonlyMap<string, string>;
}

export type Codes = Uint8Array | Uint16Array | Uint32Array;

/**
 * The values of one field. `const`: `values` holds one, for all rows. `dict`: row r has value
 * `codes[r]`. `rows`: row r has value r. A filter looks at each of `values` once and maps to rows.
 */
export interface Column {
  readonly layout: "const" | "dict" | "rows";
  /** Only with `dict`. */
  readonly codes: Codes | undefined;
  readonly valueCount: number;
  /** May decode or print on first use; kept then. */
  values(): Values;
  /** A number for each of `values`, NaN for what is not one; may parse on first use. */
  numbers(): Float64Array;
}

/** Value i is the UTF-8 bytes `bytes[offsets[i] … offsets[i + 1]]`. */
export interface Values {
  readonly bytes: Buffer;
  readonly offsets: Uint32Array;
}
