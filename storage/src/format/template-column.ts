import type { Codes, Column, Template, Templates, Values } from "../../../kit/src/block.ts";
import { templateBytesMax, templatesMax, templateVariablesMax } from "../templates/limits.ts";
import { variableMark } from "../templates/miner.ts";
import { TimeTexts, timeForms, timeTextBytesMax } from "../templates/time-texts.ts";
import type { BlockColumns } from "./block-content.ts";
import { ByteReader } from "./byte-reader.ts";
import { readCodes, skipCodes } from "./code-list.ts";
import { PlainColumn } from "./columns.ts";
import { checkStored, damaged } from "./damage.ts";
import { openColumnRef, type ReadFrame, readColumnRef } from "./frames.ts";
import type { Grams } from "./grams.ts";
import { chunkBytesMax, columnsMax } from "./limits.ts";
import { numbersOf } from "./numbers.ts";
import type { ColumnSource } from "./streams.ts";
import {
  rowsOfTemplates,
  startsOfTemplates,
  type TemplateRows,
  variableKind,
} from "./template-encoder.ts";
import { renderTexts, type TextGroup } from "./template-texts.ts";
import { gatherGrams, type TextGrams } from "./text-grams.ts";
import { addWordsOf, filterOf, WordSet } from "./token-filter.ts";
import { readList } from "./value-list-reader.ts";
import { storedPiece, VariableIndex, type VariableSet } from "./variable-index.ts";

/** What a column of templates asks of its block. */
export interface TemplateContext {
  readonly rowCount: number;
  readonly frame: ReadFrame;
  /** Another column, by its place in the header. */
  readonly field: (ordinal: number) => Column;
  /** Whether another column may have a value with these bytes, none of them a digit, told without decoding it. */
  readonly fieldMayHold: (ordinal: number, piece: Buffer) => boolean;
  readonly times: () => Float64Array;
  readonly mayContain: (tokens: readonly string[]) => boolean;
  /** What stands in the texts, if that was gathered. */
  readonly grams: () => TextGrams | undefined;
  /** Keeps what was decoded, for a while. */
  readonly kept: BlockColumns["kept"];
  /** The column from its beginning. */
  readonly open: () => ColumnSource;
}

/** Texts stored as templates and variables. All but what templates there are is read when it is asked for. */
export class TemplateColumn implements Column {
  readonly layout = "rows";
  readonly codes = undefined;
  readonly valueCount: number;
  readonly templates: StoredTemplates;
  #numbers: Float64Array | undefined;

  constructor(source: ColumnSource, context: TemplateContext) {
    this.valueCount = context.rowCount;
    this.templates = new StoredTemplates(source, context);
  }

  /** Bytes in memory, about; of what is decoded, none. */
  get byteSize(): number {
    return this.templates.byteSize;
  }

  values(): Values {
    return this.templates.texts();
  }

  numbers(): Float64Array {
    this.#numbers ??= numbersOf(this.values());
    return this.#numbers;
  }

  pick(rows: Uint32Array): Values {
    return this.templates.textsOf(rows);
  }
}

class StoredTemplates implements Templates {
  /** The templates' texts and where their variables lie. */
  readonly directory: Buffer;
  readonly #context: TemplateContext;
  readonly #count: number;
  #templates: readonly StoredTemplate[] | undefined;

  constructor(source: ColumnSource, context: TemplateContext) {
    const { head, text } = source;
    this.#count = head.count(templatesMax + 1);
    checkStored(this.#count > 0, "a column of texts has no templates");
    this.#context = context;
    skipCodes(source, context.rowCount);
    // A part would hold on to its frame, of which most are codes.
    this.directory = Buffer.from(text.take(head.count(chunkBytesMax)));
  }

  get templates(): readonly StoredTemplate[] {
    this.#templates ??= this.#read();
    return this.#templates;
  }

  get codes(): Codes {
    return this.#context.kept("codes", () => {
      const value = this.#codes();
      return { value, bytes: value.byteLength };
    });
  }

  /** The rows in the order of their templates. */
  get order(): Uint32Array {
    return this.#rows.order;
  }

  /** Bytes in memory, about; without what is kept beside it. */
  get byteSize(): number {
    return 1_000 + this.directory.length + this.#count * 150;
  }

  get #rows(): TemplateRows {
    return this.#context.kept("rows", () => {
      const value = rowsOfTemplates(this.codes, this.#count);
      return { value, bytes: value.order.byteLength + value.starts.byteLength };
    });
  }

  #read(): readonly StoredTemplate[] {
    const from = new ByteReader(this.directory);
    const templates: StoredTemplate[] = [];
    let rows = 0;
    for (let t = 0; t < this.#count; t++) {
      const text = rangeOf(from);
      const rowCount = from.count(this.#context.rowCount);
      rows += rowCount;
      templates.push(new StoredTemplate(this.directory, text, rowCount, rangeOf(from)));
    }
    checkStored(from.isAtEnd, "a column's templates are longer than they say");
    checkStored(rows === this.#context.rowCount, "templates have not as many rows as their block");
    return templates;
  }

  #codes(): Codes {
    const source = this.#context.open();
    source.head.count(templatesMax + 1);
    const codes = readCodes(source, this.#count, this.#context.rowCount, noOrder);
    const starts = startsOfTemplates(codes, this.#count);
    for (const [t, { rowCount }] of this.templates.entries()) {
      checkStored(rowCount === starts[t + 1]! - starts[t]!, "a template has not its rows");
    }
    return codes;
  }

  /** A token filter of the words of the templates. */
  wordFilter(): Buffer {
    const words = new WordSet();
    for (const { start, end } of this.templates) addWordsOf(this.directory, start, end, words);
    return filterOf(words);
  }

  /** By a search of the directory, where texts stand one behind the other. */
  templatesHolding(bytes: Buffer): ReadonlySet<number> {
    const found = new Set<number>();
    let template = 0;
    for (let at = this.directory.indexOf(bytes); at >= 0; ) {
      while (template < this.templates.length && this.templates[template]!.end <= at) template++;
      const stored = this.templates[template];
      if (stored === undefined) break;
      // What lies before a text, or is searched beyond its end, are lengths and places.
      if (stored.start <= at && at + bytes.length <= stored.end) found.add(template);
      at = this.directory.indexOf(bytes, at < stored.start ? at + 1 : stored.end);
    }
    return found;
  }

  /** What stands in them. Reads all texts of variables. */
  grams(addField: (ordinal: number, grams: Grams) => boolean): TextGrams {
    return gatherGrams(this.directory, this.templates, this.#context.frame, addField);
  }

  variablesHolding(bytes: Buffer): VariableSet | undefined {
    const piece = storedPiece(bytes);
    if (piece === undefined) return undefined;
    const known = this.#context.grams()?.variables;
    if (known?.mayHold(piece) === false) return nowhere;
    const index = this.#context.kept("variables", () => {
      const value = new VariableIndex(this.directory, this.templates, this.#context.frame);
      return { value, bytes: value.byteSize };
    });
    return index.holding(piece, this.#context.fieldMayHold);
  }

  variablesMayContain(tokens: readonly string[]): boolean {
    return this.#context.mayContain(tokens);
  }

  variable(template: number, index: number): Column {
    const stored = this.templates[template]!;
    return this.#context.kept(`${template}.${index}`, () => {
      const value = this.#variable(stored.variable(index), this.#rowsOf(template));
      return { value, bytes: 500 + ownBytes(value) };
    });
  }

  texts(): Values {
    return this.#context.kept("texts", () => {
      const value = this.#texts();
      return { value, bytes: value.bytes.length + value.offsets.byteLength };
    });
  }

  #texts(): Values {
    const groups: TextGroup[] = [];
    for (let t = 0; t < this.templates.length; t++) {
      const places = this.#rowsOf(t);
      if (places.length > 0) groups.push(this.#group(t, places, undefined));
    }
    return renderTexts(groups, this.#context.rowCount);
  }

  textsOf(rows: Uint32Array): Values {
    const { codes } = this;
    const ranks = this.#rankOfRows();
    const picked = new Uint16Array(rows.length);
    for (let i = 0; i < rows.length; i++) picked[i] = codes[rows[i]!]!;
    const { order, starts } = rowsOfTemplates(picked, this.templates.length);
    const groups: TextGroup[] = [];
    for (let t = 0; t < this.templates.length; t++) {
      if (starts[t] === starts[t + 1]) continue;
      const places = order.subarray(starts[t], starts[t + 1]);
      const own = new Uint32Array(places.length);
      for (let i = 0; i < own.length; i++) own[i] = ranks[rows[places[i]!]!]!;
      groups.push(this.#group(t, places, own));
    }
    return renderTexts(groups, rows.length);
  }

  #group(template: number, places: Uint32Array, ranks: Uint32Array | undefined): TextGroup {
    const { literals } = this.templates[template]!;
    const variables = Array.from({ length: literals.length - 1 }, (_, index) =>
      this.variable(template, index),
    );
    return { literals, variables, places, ranks };
  }

  #rowsOf(template: number): Uint32Array {
    const { order, starts } = this.#rows;
    return order.subarray(starts[template], starts[template + 1]);
  }

  /** Place of each row among those of its template. */
  #rankOfRows(): Uint32Array {
    return this.#context.kept("ranks", () => {
      const { order, starts } = this.#rows;
      const value = new Uint32Array(order.length);
      for (let t = 0; t < this.#count; t++) {
        const first = starts[t]!;
        for (let i = first; i < starts[t + 1]!; i++) value[order[i]!] = i - first;
      }
      return { value, bytes: value.byteLength };
    });
  }

  #variable(from: ByteReader, rows: Uint32Array): Column {
    const kind = from.count(2);
    if (kind === variableKind.time) {
      return timeColumn(from.count(timeForms - 1), this.#context.times(), rows);
    }
    if (kind === variableKind.field) {
      return pickedColumn(this.#context.field(from.count(columnsMax)), rows);
    }
    const source = openColumnRef(readColumnRef(from), this.#context.frame);
    const { values, codes } = readList(source, rows.length);
    if (codes !== undefined) return new PlainColumn("dict", values, codes);
    const isOne = values.offsets.length === 2 && rows.length > 1;
    return new PlainColumn(isOne ? "const" : "rows", values);
  }
}

const nowhere: VariableSet = new Map();

function noOrder(): Uint32Array {
  throw damaged("the templates of rows are in no other order");
}

/** A part of a directory. */
interface DirectoryRange {
  readonly start: number;
  readonly end: number;
}

function rangeOf(from: ByteReader): DirectoryRange {
  const length = from.varint();
  const start = from.position;
  from.skip(length);
  return { start, end: start + length };
}

/** There are a thousand in a block, of hundreds of blocks, so nothing is cut out of the directory before it is asked for. */
class StoredTemplate implements Template {
  readonly rowCount: number;
  /** Where the text lies in the directory. */
  readonly start: number;
  readonly end: number;
  /** Where its variables are described there. */
  readonly storedAt: number;
  readonly storedEnd: number;
  readonly #directory: Buffer;
  #variablesAt: number[] | undefined;

  constructor(
    directory: Buffer,
    text: DirectoryRange,
    rowCount: number,
    variables: DirectoryRange,
  ) {
    this.#directory = directory;
    this.start = text.start;
    this.end = text.end;
    this.rowCount = rowCount;
    this.storedAt = variables.start;
    this.storedEnd = variables.end;
  }

  get literals(): readonly Buffer[] {
    return splitAtMarks(this.#directory.subarray(this.start, this.end));
  }

  /** How the variables are described. */
  get stored(): Buffer {
    return this.#directory.subarray(this.storedAt, this.storedEnd);
  }

  /** Where a variable is described. */
  variable(index: number): ByteReader {
    this.#variablesAt ??= this.#places();
    const at = this.#variablesAt[index];
    checkStored(at !== undefined, "a template has not its variables");
    return new ByteReader(this.stored.subarray(at));
  }

  #places(): number[] {
    const from = new ByteReader(this.stored);
    const places: number[] = [];
    while (!from.isAtEnd) {
      places.push(from.position);
      if (from.count(2) === variableKind.list) readColumnRef(from);
      else from.varint();
    }
    checkStored(places.length === this.literals.length - 1, "a template has not its variables");
    return places;
  }
}

/** Bytes that a variable's column takes; the dictionary of a field is the field's. */
function ownBytes(column: Column): number {
  if (column.codes !== undefined && column.valueCount > column.codes.length) {
    return column.codes.byteLength;
  }
  const { bytes, offsets } = column.values();
  return bytes.length + offsets.byteLength + (column.codes?.byteLength ?? 0);
}

function splitAtMarks(bytes: Buffer): Buffer[] {
  checkStored(bytes.length <= templateBytesMax, "a template is too long");
  const literals: Buffer[] = [];
  let from = 0;
  while (true) {
    const mark = bytes.indexOf(variableMark, from);
    if (mark < 0) break;
    literals.push(bytes.subarray(from, mark));
    from = mark + 1;
  }
  literals.push(bytes.subarray(from));
  checkStored(literals.length <= templateVariablesMax + 1, "a template has too many variables");
  return literals;
}

function timeColumn(form: number, ms: Float64Array, rows: Uint32Array): Column {
  const bytes = Buffer.allocUnsafeSlow(rows.length * timeTextBytesMax);
  const offsets = new Uint32Array(rows.length + 1);
  const texts = new TimeTexts();
  let at = 0;
  for (let i = 0; i < rows.length; i++) {
    const length = texts.print(form, ms[rows[i]!]!);
    for (let k = 0; k < length; k++) bytes[at++] = texts.bytes[k]!;
    offsets[i + 1] = at;
  }
  return new PlainColumn("rows", { bytes: bytes.subarray(0, at), offsets });
}

/** The column of these rows. */
function pickedColumn(column: Column, rows: Uint32Array): Column {
  if (column.layout === "const") return column;
  const { codes } = column;
  if (codes === undefined) return new PlainColumn("rows", column.pick(rows));
  const picked =
    codes.BYTES_PER_ELEMENT === 1 ? new Uint8Array(rows.length) : new Uint16Array(rows.length);
  for (let i = 0; i < rows.length; i++) picked[i] = codes[rows[i]!]!;
  return new PlainColumn("dict", column.values(), picked);
}
