import type { Moment } from "./time.ts";

/**
 * What is stored, as it is read: a block is a set of records, column by column. Storage gives blocks, queries ask
 * them, and neither room knows the other. Batches of the memtable
 * and blocks of segments are both read this way. An absent field and an empty value are the same thing.
 */
export interface Block {
  /** At most 65,536. */
  readonly rowCount: number;
  /** Of all its values, about, in bytes; absent: not known. */
  readonly byteSize?: number;
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
  /** False only when no value of the field can have these bytes; absent: that is not told without a look at the column. */
  mayHold?(field: string, bytes: Buffer): boolean;
  /** Numeric bounds, when every value of the field is a number; undefined: unknown. */
  bounds(field: string): Bounds | undefined;
  /** How many rows have each value, when that is known without reading the column (few distinct values). */
  valueCounts(field: string): ValueCounts | undefined;
  /** Where the block lies in a file and what its fields take there, `_time` among them; absent or undefined: it is in memory. */
  storedFields?(): StoredFields | undefined;
}

/** Bytes of a file that belong to the fields of one block. */
export interface StoredFields {
  readonly path: string;
  readonly fields: ReadonlyMap<string, StoredField>;
}

/** Near enough, since columns are compressed together. */
export interface StoredField {
  readonly valueBytes: number;
  /** Of its token filter. */
  readonly filterBytes: number;
}

/** `counts[i]` rows have value i; the values differ, and the empty one (or an absent field) may be among them. */
export interface ValueCounts {
  readonly values: Values;
  readonly counts: Uint32Array;
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
  /** Every value that is not empty is a number; absent: unknown. */
  readonly isNumeric?: boolean;
  /** Only with layout `rows`, where few rows have a value: which ones, ascending, told without laying out those of all rows. */
  readonly present?: Uint16Array | undefined;
  /** A number for each of `values`, NaN for what is not one; may parse on first use. */
  numbers(): Float64Array;
  /** The values of these rows only (ascending), value i being that of `rows[i]`; decodes no more than they need. */
  pick(rows: Uint32Array): Values;
  /** Only with layout `rows`, where the values are stored as templates and variables; undefined otherwise. */
  readonly templates: Templates | undefined;
}

/** Texts split into what repeats and what varies: row r is `templates[codes[r]]` with its variables put in. */
export interface Templates {
  readonly codes: Codes;
  readonly templates: readonly Template[];
  /** The templates of whose literals one may contain these bytes; no other's does. */
  templatesHolding(bytes: Buffer): ReadonlySet<number>;
  /** False only when no variable of any row can contain all of these words. */
  variablesMayContain(tokens: readonly string[]): boolean;
  /**
   * The variables that may contain these bytes by themselves, by template, as far as it can be told without decoding
   * them; undefined: any may.
   */
  variablesHolding(bytes: Buffer): ReadonlyMap<number, readonly number[]> | undefined;
  /** Variable `index` of a template: one value for each row of that template, in order of rows; decodes only what it needs. */
  variable(template: number, index: number): Column;
}

/**
 * One more literal than variables: the text is literals[0] v0 literals[1] v1 …. A variable begins and ends at word
 * boundaries (`tokens.ts`), so a word lies wholly in a literal or wholly in a variable. A text that fits no
 * template is one variable between empty literals.
 */
export interface Template {
  readonly literals: readonly Buffer[];
  readonly rowCount: number;
}

/** Value i is the UTF-8 bytes `bytes[offsets[i] … offsets[i + 1]]`. */
export interface Values {
  readonly bytes: Buffer;
  readonly offsets: Uint32Array;
}
