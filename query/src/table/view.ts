import type {
  Block,
  Column,
  StreamLabels,
  Streams,
  Times,
  ValueCounts,
} from "../../../kit/src/block.ts";
import type { Moment } from "../../../kit/src/time.ts";
import { ValuesBuilder, ValuesColumn, valuesOf } from "./column.ts";
import { streamIdField, streamIdOf } from "./stream-id.ts";
import { timesOfText } from "./table-block.ts";
import { TimePrinter, timeTextBytesMax } from "./time-text.ts";

/** The kind of rows: `records` leave out what is empty, a `table` shows every column in every row. */
export type Shape = "records" | "table";

/**
 * A block as the pipes so far have changed it: some columns replaced or added, some hidden. The
 * rows are the block's; `_time` and `_stream` are columns like others here. `_stream_id` is one of records that no pipe has
 * touched, but is not shown until a pipe puts it there.
 */
export class View implements Block {
  readonly block: Block;
  readonly shape: Shape;
  /** What is shown, in order, `_time` and `_stream` among them. */
  readonly names: readonly string[];
  readonly #shown: ReadonlySet<string>;
  readonly #own: ReadonlyMap<string, Column | undefined>;
  readonly #isUntouched: boolean;
  readonly #made = new Map<string, Column | undefined>();

  private constructor(
    block: Block,
    shape: Shape,
    names: readonly string[],
    own: ReadonlyMap<string, Column | undefined>,
    isUntouched = false,
  ) {
    this.block = block;
    this.shape = shape;
    this.names = names;
    this.#shown = new Set(names);
    this.#own = own;
    this.#isUntouched = isUntouched;
  }

  /** Records as they are stored. */
  static records(block: Block): View {
    const rest = block.fieldNames.filter((name) => name !== "_msg" && name !== streamIdField);
    const msg = block.fieldNames.includes("_msg") ? ["_msg"] : [];
    return new View(block, "records", ["_time", "_stream", ...msg, ...rest], new Map(), true);
  }

  /** Rows of an aggregate, or rows that already went through pipes: exactly these names. */
  static table(block: Block, names: readonly string[] = block.fieldNames, shape: Shape = "table") {
    return new View(block, shape, names, new Map());
  }

  get rowCount(): number {
    return this.block.rowCount;
  }

  get timeMin(): Moment {
    return this.block.timeMin;
  }

  get timeMax(): Moment {
    return this.block.timeMax;
  }

  get fieldNames(): readonly string[] {
    return this.names.filter((name) => name !== "_time" && name !== "_stream");
  }

  times(): Times {
    return this.block.times();
  }

  streams(): Streams {
    return this.block.streams();
  }

  positions(): Float64Array {
    return this.block.positions();
  }

  column(field: string): Column | undefined {
    if (!this.#has(field)) return undefined;
    if (this.#own.has(field)) return this.#own.get(field);
    if (this.#made.has(field)) return this.#made.get(field);
    const column = this.#isId(field)
      ? streamColumn(this.block, streamIdOf)
      : (this.block.column(field) ?? this.#makeUp(field));
    this.#made.set(field, column);
    return column;
  }

  mayContain(field: string, tokens: readonly string[]): boolean {
    if (!this.#has(field)) return tokens.length === 0;
    // Filters know only what is stored as a column.
    const isColumn = this.isStored(field) && field !== "_time" && field !== "_stream";
    return isColumn ? this.block.mayContain(field, tokens) : true;
  }

  mayHold(field: string, bytes: Buffer): boolean {
    if (!this.#has(field) || !this.isStored(field)) return true;
    if (field === "_time" || field === "_stream") return true;
    return this.block.mayHold?.(field, bytes) ?? true;
  }

  bounds(field: string): { readonly min: number; readonly max: number } | undefined {
    return this.isStored(field) ? this.block.bounds(field) : undefined;
  }

  valueCounts(field: string): ValueCounts | undefined {
    return this.isStored(field) ? this.block.valueCounts(field) : undefined;
  }

  /** Whether the column is the block's own, unchanged. */
  isStored(field: string): boolean {
    return this.#shown.has(field) && !this.#own.has(field);
  }

  /** Whether `_time` is the records' own, which no pipe has replaced. */
  hasTimes(): boolean {
    return this.shape === "records" && this.isStored("_time") && !this.#hasText("_time");
  }

  /** The moments that `_time` shows, NaN where it shows none; undefined when no row has one. */
  shownTimes(): Times | undefined {
    if (this.hasTimes()) return this.block.times();
    const column = this.column("_time");
    return column === undefined ? undefined : timesOfText(column, this.rowCount, Number.NaN);
  }

  with(name: string, column: Column | undefined): View {
    const own = new Map(this.#own).set(name, column);
    const names = this.#shown.has(name) ? this.names : [...this.names, name];
    return new View(this.block, this.shape, names, own);
  }

  /** Only these, in this order. */
  only(names: readonly string[]): View {
    const own = new Map(this.#own);
    // What a pipe took away does not come back by being named.
    for (const name of names) if (!this.#shown.has(name)) own.set(name, undefined);
    return new View(this.block, this.shape, names, own);
  }

  #has(field: string): boolean {
    return this.#shown.has(field) || this.#isId(field);
  }

  /** Whether it is the id of the records' streams, which only records as they are stored have. */
  #isId(field: string): boolean {
    return field === streamIdField && this.#isUntouched;
  }

  #hasText(field: string): boolean {
    return this.block.column(field) !== undefined;
  }

  /** Rows of a table have no time and no stream but what its columns say. */
  #makeUp(field: string): Column | undefined {
    if (this.shape === "table") return undefined;
    if (field === "_time") return timeColumn(this.block);
    if (field === "_stream") return streamColumn(this.block, ({ text }) => text);
    return undefined;
  }
}

function timeColumn(block: Block): Column {
  const { ms, ns } = block.times();
  const printer = new TimePrinter();
  const builder = new ValuesBuilder(block.rowCount, block.rowCount * 24);
  const text = new Uint8Array(timeTextBytesMax);
  for (let row = 0; row < block.rowCount; row++) {
    const end = printer.write(text, 0, ms[row] as number, ns?.[row] ?? 0);
    builder.pushBytes(text, 0, end);
  }
  return new ValuesColumn("rows", builder.finish());
}

function streamColumn(block: Block, textOf: (labels: StreamLabels) => string): Column {
  const { labels, codes } = block.streams();
  const values = valuesOf(labels.map(textOf));
  if (codes === undefined) return new ValuesColumn("const", values);
  return new ValuesColumn("dict", values, codes);
}
