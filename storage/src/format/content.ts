import { assert } from "../../../kit/src/assert.ts";
import type { Bounds, Codes, Times, ValueCounts, Values } from "../../../kit/src/block.ts";
import type { BlockColumns, BlockContent, DecodedColumn } from "./block-content.ts";
import { type BlockHeader, columnKind, type FieldHead, parseBlockHeader } from "./block-header.ts";
import { ByteReader } from "./byte-reader.ts";
import type { ChunkRef } from "./chunk.ts";
import { readCodes } from "./code-list.ts";
import { NumberColumn, PlainColumn, SparseColumn } from "./columns.ts";
import { mayBePrinted } from "./content-checks.ts";
import { checkStored, damaged } from "./damage.ts";
import {
  type ColumnRef,
  checkedFrame,
  openColumnRef,
  type PayloadRef,
  payloadOf,
  type ReadFrame,
} from "./frames.ts";
import type { Grams } from "./grams.ts";
import { readInts, skipInts } from "./int-list.ts";
import { blockRowsMax, listDictValuesMax } from "./limits.ts";
import { addListGrams, listMayHold, listTexts } from "./list-pieces.ts";
import { placedRows, type RowsByTime, readStreamCodes, streamCodesLength } from "./stream-codes.ts";
import type { ColumnSource } from "./streams.ts";
import { TemplateColumn } from "./template-column.ts";
import { type TextGrams, textsMayHold } from "./text-grams.ts";
import { filterMayContain, filterProbed } from "./token-filter.ts";
import { readList } from "./value-list-reader.ts";

/** Gives so many bytes of a chunk that is stored as it is. */
export type ReadPart = (ref: ChunkRef, at: number, length: number) => Buffer;

/** A block of format version 2: its columns' payloads lie in frames. */
export class BlockContent2 implements BlockContent {
  readonly #header: BlockHeader;
  readonly #fields: ReadonlyMap<string, FieldHead>;
  readonly #frame: ReadFrame;
  readonly #readPart: ReadPart;

  /**
   * `chunk` gives a chunk's raw bytes, checked, and keeps them for a while; `part` some bytes of a chunk that is stored
   * as it is, checked, good until the next call, without keeping more of it.
   */
  constructor(
    header: Buffer,
    chunk: (ref: ChunkRef) => Buffer,
    part: ReadPart = (ref, at, length) => chunk(ref).subarray(at, at + length),
  ) {
    const parsed = parseBlockHeader(header);
    this.#header = parsed;
    this.#fields = new Map(parsed.fields.map((field) => [field.name, field]));
    this.#frame = (ordinal) => chunk(checkedFrame(parsed.frames, ordinal));
    this.#readPart = part;
  }

  get rowCount(): number {
    return this.#header.rowCount;
  }

  get streams(): readonly string[] {
    return this.#header.streams;
  }

  get chunks(): readonly ChunkRef[] {
    return this.#header.frames;
  }

  get fieldNames(): readonly string[] {
    return [...this.#fields.keys()];
  }

  has(field: string): boolean {
    return this.#fields.has(field);
  }

  streamCodes(columns: BlockColumns): Codes | undefined {
    return this.#rows(columns).rows.codes;
  }

  times(columns: BlockColumns): Times {
    const { source, rows } = this.#rows(columns);
    const ms = placedRows(readInts(source, this.rowCount), rows.places);
    if (!this.#header.hasNs) return { ms, ns: undefined };
    return { ms, ns: Uint32Array.from(placedRows(readInts(source, this.rowCount), rows.places)) };
  }

  positions(columns: BlockColumns): Float64Array {
    const { source, rows } = this.#rows(columns);
    skipInts(source, this.rowCount);
    if (this.#header.hasNs) skipInts(source, this.rowCount);
    return placedRows(readInts(source, this.rowCount), rows.places);
  }

  column(field: string, columns: BlockColumns): DecodedColumn | undefined {
    const head = this.#fields.get(field);
    if (head === undefined) return undefined;
    const source = openColumnRef(head.column, this.#frame);
    const { rowCount } = this;
    switch (head.kind) {
      case columnKind.const:
        return plain("const", bytesAlone(Buffer.from(source.head.blob())), undefined);
      case columnKind.dict: {
        const values = readDictionary(source);
        const order = (): Uint32Array => this.#order(columns);
        return plain("dict", values, readCodes(source, values.offsets.length - 1, rowCount, order));
      }
      case columnKind.ints: {
        const { numbers, absent } = readWhole(source, rowCount, () => this.#order(columns));
        return { column: new NumberColumn(numbers, absent), bytes: rowCount * 28 + 300 };
      }
      case columnKind.list: {
        const { values, codes } = readList(source, rowCount);
        const isOne = codes === undefined && values.offsets.length === 2 && rowCount > 1;
        return plain(codes !== undefined ? "dict" : isOne ? "const" : "rows", values, codes);
      }
      case columnKind.sparse:
        return readSparse(source, rowCount);
      case columnKind.templates:
        return this.#templates(head, source, columns);
      default:
        throw damaged("a column is of an unknown kind", { kind: head.kind });
    }
  }

  mayContain(field: string, tokens: readonly string[], columns: BlockColumns): boolean {
    const head = this.#fields.get(field);
    if (head === undefined) return false;
    if (head.kind === columnKind.templates) return this.#mayTextContain(head, tokens, columns);
    if (head.filter !== undefined) return this.#filterMayContain(head.filter, tokens);
    if (head.kind === columnKind.ints)
      return tokens.every((token) => mayBePrinted(token, head.bounds));
    if (head.kind === columnKind.const)
      return tokens.every((token) => head.column.head.includes(token));
    // Small enough to look.
    const bytes = this.#storedTexts(head, columns) ?? columns.column(field)?.values().bytes;
    return bytes === undefined || tokens.every((token) => bytes.includes(token));
  }

  mayHold(field: string, bytes: Buffer, columns: BlockColumns): boolean {
    const head = this.#fields.get(field);
    if (head === undefined) return true;
    if (head.kind !== columnKind.templates) {
      return this.#storedTexts(head, columns)?.includes(bytes) ?? true;
    }
    askedOf(head, columns).times++;
    const grams = this.#grams(head, columns);
    return grams === undefined || textsMayHold(grams, bytes);
  }

  /**
   * The values of a field, and more, where they lie as texts and are not taken apart yet, which costs several times what
   * a search of them does.
   */
  #storedTexts({ name, kind, column }: FieldHead, columns: BlockColumns): Buffer | undefined {
    if (columns.hasColumn?.(name) === true) return undefined;
    if (kind !== columnKind.dict && kind !== columnKind.list) return undefined;
    const list = kind === columnKind.dict ? dictionaryHead(column.head).list : column.head;
    return listTexts(list).isText ? payloadOf(column.text, this.#frame) : undefined;
  }

  /** Undefined before the second question, so that the first one reads no more than it needs. */
  #grams(head: FieldHead, columns: BlockColumns): TextGrams | undefined {
    if (askedOf(head, columns).times < 2) return undefined;
    return columns.kept(`${head.name} grams`, () => {
      const { templates } = textColumn(head.name, columns);
      const value = templates.grams((ordinal, grams) => this.#addGrams(ordinal, grams));
      return { value, bytes: value.literals.byteSize + (value.variables?.byteSize ?? 0) };
    });
  }

  /** Adds what stands in the values of a field, but for decimal digits; false: that cannot be told. */
  #addGrams(ordinal: number, grams: Grams): boolean {
    const field = this.#header.fields[ordinal];
    if (field === undefined) return false;
    const { head } = field.column;
    const text = (): Buffer => payloadOf(field.column.text, this.#frame);
    switch (field.kind) {
      case columnKind.ints:
        return true;
      case columnKind.const:
        grams.add(head);
        return true;
      case columnKind.dict: {
        const { count, list } = dictionaryHead(head);
        addListGrams(list, count, text, grams);
        return true;
      }
      case columnKind.list:
        addListGrams(head, this.rowCount, text, grams);
        return true;
      default:
        return false;
    }
  }

  bounds(field: string): Bounds | undefined {
    return this.#fields.get(field)?.bounds;
  }

  valueCounts(field: string): ValueCounts | undefined {
    const head = this.#fields.get(field);
    if (head === undefined) return undefined;
    if (head.kind === columnKind.const) {
      const source = openColumnRef(head.column, this.#frame);
      const values = bytesAlone(Buffer.from(source.head.blob()));
      return { values, counts: Uint32Array.of(this.rowCount) };
    }
    if (head.counts === undefined || head.kind !== columnKind.dict) return undefined;
    const values = readDictionary(openColumnRef(head.column, this.#frame));
    const isRight = values.offsets.length - 1 === head.counts.length;
    checkStored(isRight, "a dictionary has not as many counts as values");
    return { values, counts: Uint32Array.from(head.counts) };
  }

  verifyRest(): void {
    for (let i = 0; i < this.#header.frames.length; i++) this.#frame(i);
  }

  kindOf(field: string): string | undefined {
    const kind = this.#fields.get(field)?.kind;
    return Object.entries(columnKind).find(([, number]) => number === kind)?.[0];
  }

  storedBytes(): ReadonlyMap<string, number> {
    const sizes = new Map<string, number>();
    sizes.set("_time, _stream, positions", this.#stored(this.#header.rows));
    for (const { name, column, filter } of this.#header.fields) {
      const own = this.#stored(column);
      const filterBytes = filter === undefined ? 0 : this.#part(filter.frame, filter.length);
      sizes.set(name, own);
      if (filterBytes > 0) sizes.set(`${name}, filter`, filterBytes);
    }
    return sizes;
  }

  #stored({ packed, text, head }: ColumnRef): number {
    return (
      head.length + this.#part(packed.frame, packed.length) + this.#part(text.frame, text.length)
    );
  }

  /** A frame's stored bytes are shared by raw bytes. */
  #part(frame: number, length: number): number {
    const ref = this.#header.frames[frame];
    return ref === undefined || length === 0 ? 0 : (ref.length / ref.rawLength) * length;
  }

  /** Stream codes, and what follows them. */
  #rows(columns: BlockColumns): { rows: RowsByTime; source: ColumnSource } {
    const source = openColumnRef(this.#header.rows, this.#frame);
    const count = this.streams.length;
    const bytes = source.text.take(streamCodesLength(count, this.rowCount));
    const rows = columns.kept("rows", () => {
      const value = readStreamCodes(bytes, count, this.rowCount);
      return { value, bytes: 100 + this.rowCount * 6 };
    });
    return { rows, source };
  }

  #templates(head: FieldHead, source: ColumnSource, columns: BlockColumns): DecodedColumn {
    const { filter } = head;
    const column = new TemplateColumn(source, {
      rowCount: this.rowCount,
      frame: this.#frame,
      field: (ordinal) => {
        const other = this.#header.fields[ordinal];
        const isOther = other !== undefined && other.kind !== columnKind.templates;
        const found = isOther ? columns.column(other.name) : undefined;
        checkStored(found !== undefined, "a variable is of no field");
        return found;
      },
      fieldMayHold: (ordinal, piece) => this.#mayHold(ordinal, piece),
      times: () => columns.times().ms,
      kept: (what, make) => columns.kept(`${head.name} ${what}`, make),
      open: () => openColumnRef(head.column, this.#frame),
      mayContain: (tokens) => filter === undefined || this.#filterMayContain(filter, tokens),
      grams: () => this.#grams(head, columns),
    });
    // What is decoded of it is kept by itself.
    return { column, bytes: column.byteSize };
  }

  /** Whether a column may have a value with this piece, which has no digits: all but digits is stored as it is. */
  #mayHold(ordinal: number, piece: Buffer): boolean {
    const other = this.#header.fields[ordinal];
    if (other === undefined) return true;
    const { head } = other.column;
    const text = (): Buffer => payloadOf(other.column.text, this.#frame);
    switch (other.kind) {
      case columnKind.ints:
        return piece.equals(minus);
      case columnKind.const:
        return head.includes(piece);
      case columnKind.dict:
        return listMayHold(dictionaryHead(head).list, piece, text);
      case columnKind.list:
        return listMayHold(head, piece, text);
      default:
        return true;
    }
  }

  #mayTextContain(head: FieldHead, tokens: readonly string[], columns: BlockColumns): boolean {
    const { filter } = head;
    if (filter === undefined) return true;
    const missing = tokens.filter((token) => !this.#filterMayContain(filter, [token]));
    if (missing.length === 0) return true;
    // A word lies in a variable or in the template; so all of these must lie in one template.
    if (this.#isInNoTemplate(missing, head, columns)) return false;
    const { templates } = textColumn(head.name, columns);
    const holding = missing.map((token) => templates.templatesHolding(Buffer.from(token)));
    return templates.templates.some(
      ({ rowCount }, template) => rowCount > 0 && holding.every((each) => each.has(template)),
    );
  }

  /**
   * Whether one of the words is in no template. The first question is answered by a search of the texts, which are read
   * for it; later ones by a filter, which is small enough to stay when the texts are gone.
   */
  #isInNoTemplate(words: readonly string[], { name }: FieldHead, columns: BlockColumns): boolean {
    const asked = columns.kept(`${name} asked`, () => ({ value: { times: 0 }, bytes: 100 }));
    if (asked.times++ === 0) {
      const { directory } = textColumn(name, columns).templates;
      return words.some((word) => !directory.includes(word));
    }
    const filter = columns.kept(`${name} words`, () => {
      const value = textColumn(name, columns).templates.wordFilter();
      return { value, bytes: value.length + 100 };
    });
    return words.some((word) => !filterMayContain(filter, [word]));
  }

  #filterMayContain(filter: PayloadRef, tokens: readonly string[]): boolean {
    const ref = checkedFrame(this.#header.frames, filter.frame);
    const isPacked = ref.length !== ref.rawLength;
    const bytes = isPacked ? payloadOf(filter, this.#frame) : undefined;
    return filterProbed(filter.length, tokens, (at, length) => {
      if (bytes !== undefined) return bytes.subarray(at, at + length);
      checkStored(filter.at + filter.length <= ref.length, "a payload lies beyond its frame");
      return this.#readPart(ref, filter.at + at, length);
    });
  }

  /** The rows by template of the first column that has templates. */
  #order(columns: BlockColumns): Uint32Array {
    const first = this.#header.fields[0];
    const isFirst = first !== undefined && first.kind === columnKind.templates;
    checkStored(isFirst, "a column is in the order of no templates");
    return textColumn(first.name, columns).templates.order;
  }
}

/** A column of which the header says that it is of templates. */
function textColumn(field: string, columns: BlockColumns): TemplateColumn {
  const column = columns.column(field);
  assert(column instanceof TemplateColumn, "a column of templates is read as one");
  return column;
}

const minus = Buffer.from("-");

/** How many values a dictionary has, and how the list of them is described. */
function dictionaryHead(head: Buffer): { readonly count: number; readonly list: Buffer } {
  const from = new ByteReader(head);
  const count = from.count(listDictValuesMax);
  return { count, list: head.subarray(from.position) };
}

/** How often it was asked which bytes may stand in the texts of a field. */
function askedOf({ name }: FieldHead, columns: BlockColumns): { times: number } {
  return columns.kept(`${name} searched`, () => ({ value: { times: 0 }, bytes: 100 }));
}

/** Whole numbers, and which of them stands for none. */
function readWhole(
  source: ColumnSource,
  rowCount: number,
  order: () => Uint32Array,
): { numbers: Float64Array; absent: number | undefined } {
  if (source.head.count(1) === 0) {
    const numbers = readInts(source, rowCount);
    checkStored(numbers.every(isWhole), "a column of whole numbers has others");
    return { numbers, absent: undefined };
  }
  const present = readCodes(source, 2, rowCount, order);
  const own = readInts(source, source.head.count(rowCount));
  checkStored(own.every(isWhole), "a column of whole numbers has others");
  const absent = own.reduce((least, number) => Math.min(least, number), 0) - 1;
  const numbers = new Float64Array(rowCount).fill(absent);
  let next = 0;
  for (let row = 0; row < rowCount; row++) {
    if (present[row] === 1) numbers[row] = own[next++] ?? absent;
  }
  checkStored(next === own.length, "a column of whole numbers has not as many as it says");
  return { numbers, absent };
}

function isWhole(number: number): boolean {
  return Number.isSafeInteger(number) && number > -1e15 - 1 && number < 1e15;
}

function bytesAlone(bytes: Buffer): Values {
  return { bytes, offsets: Uint32Array.of(0, bytes.length) };
}

function plain(
  layout: "const" | "dict" | "rows",
  values: Values,
  codes: Codes | undefined,
): DecodedColumn {
  const bytes = values.bytes.length + values.offsets.length * 12 + (codes?.byteLength ?? 0) + 300;
  return { column: new PlainColumn(layout, values, codes), bytes };
}

function readDictionary(source: ColumnSource): Values {
  const count = source.head.count(listDictValuesMax);
  const { values, codes } = readList(source, count);
  const isRight = codes === undefined && values.offsets.length === count + 1;
  checkStored(isRight, "a dictionary has not its values");
  return values;
}

/** The rows that have a value, and their values. */
function readSparse(source: ColumnSource, rowCount: number): DecodedColumn {
  const count = source.head.count(blockRowsMax);
  const rows = readInts(source, count);
  const present = new Uint16Array(count);
  let next = 0;
  for (let i = 0; i < count; i++) {
    const row = rows[i]!;
    const isNext = row >= next && row < rowCount && Number.isInteger(row);
    checkStored(isNext, "a sparse column's rows are wrong");
    next = row + 1;
    present[i] = row;
  }
  const { values, codes } = readList(source, count);
  const isEach = codes === undefined && (values.offsets.length > 2 || count < 2);
  const own = isEach ? values : valueOfEach(values, codes, count);
  // What all rows have is laid out when it is asked for.
  const bytes = own.bytes.length + count * 10 + rowCount * 4 + 300;
  return { column: new SparseColumn(present, own, rowCount), bytes };
}

/** A value for each of some, from a dictionary or one value for all. */
function valueOfEach(values: Values, codes: Codes | undefined, count: number): Values {
  const each = Uint32Array.from({ length: count }, (_, i) => i);
  const layout = codes === undefined ? "const" : "dict";
  return new PlainColumn(layout, values, codes).pick(each);
}
