import type { Moment } from "./time.ts";

/**
 * What is stored, as it is read: a block is a set of records, column by column. Storage gives blocks, queries ask
 * them, and neither room knows the other. Batches of the memtable
 * and blocks of segments are both read this way. An absent field and an empty value are the same thing.
 */
export interface Block {
  /** At most 65,536. */
  readonly rowCount: number;
  /** Inclusive bounds of the records' times. */
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
  /** False only when no row's value of the field can contain all of these tokens (words as in `tokens.ts`). */
  mayContain(field: string, tokens: readonly string[]): boolean;
  /** Numeric bounds, when every value of the field is a number; undefined: unknown. */
  bounds(field: string): Bounds | undefined;
}

export interface Bounds {
  readonly min: number;
  readonly max: number;
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
 * `codes[r]`, and the values differ from each other. `rows`: row r has value r. A filter
 * looks at each of `values` once and maps to rows.
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
