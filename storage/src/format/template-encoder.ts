import type { Codes, Values } from "../../../kit/src/block.ts";
import type { MinedTexts } from "../templates/miner.ts";
import { clockForm, dateForm, TimeTexts, timeFormOf } from "../templates/time-texts.ts";
import { ByteWriter } from "./byte-writer.ts";
import { writeCodes } from "./code-list.ts";
import type { FrameWriter } from "./frames.ts";
import type { Gathered } from "./gather.ts";
import { referenceRowsMin } from "./limits.ts";
import { addWordsOf, type WordSet } from "./token-filter.ts";
import { type Ranges, writeList } from "./value-list.ts";
import { isSame, viewOf } from "./words.ts";

/** What a variable is: a list of its own, the value of another field, or the record's time as text. */
export const variableKind = { list: 0, field: 1, time: 2 } as const;

/** A field that variables may be equal to. */
export interface OtherField {
  /** Its place in the block's header. */
  readonly ordinal: number;
  readonly gathered: Gathered & { kind: "dict" | "rows" };
}

export interface TemplateInput {
  readonly values: Values;
  readonly mined: MinedTexts;
  /** Milliseconds of each row. */
  readonly times: Float64Array;
  readonly others: readonly OtherField[];
}

/** Rows grouped by template, in order within each. */
export interface TemplateRows {
  readonly order: Uint32Array;
  /** The rows of template t are `order[starts[t] … starts[t + 1])`. */
  readonly starts: Uint32Array;
}

export function rowsOfTemplates(templateOf: Codes, count: number): TemplateRows {
  const starts = startsOfTemplates(templateOf, count);
  const order = new Uint32Array(templateOf.length);
  placeRows(templateOf, starts.slice(), order);
  return { order, starts };
}

/** How many rows have the templates before each, and all of them. */
export function startsOfTemplates(templateOf: Codes, count: number): Uint32Array {
  const starts = new Uint32Array(count + 1);
  countTemplates(templateOf, starts);
  for (let t = 1; t <= count; t++) starts[t]! += starts[t - 1]!;
  return starts;
}

function countTemplates(templateOf: Codes, starts: Uint32Array): void {
  for (let i = 0; i < templateOf.length; i++) starts[templateOf[i]! + 1]!++;
}

function placeRows(templateOf: Codes, next: Uint32Array, order: Uint32Array): void {
  for (let i = 0; i < order.length; i++) order[next[templateOf[i]!]!++] = i;
}

/**
 * Writes texts as templates and variables: the template of each row, a directory of the templates (text, how many
 * rows, where each variable lies), and the variables of one template and place together, each a list. Adds the
 * variables' words to `words`.
 */
export class TemplateEncoder {
  readonly #frames: FrameWriter;
  readonly #words: WordSet;
  readonly #directory = new ByteWriter();
  readonly #variables = new ByteWriter();
  readonly #times = new TimeTexts();
  readonly #timeView = viewOf(this.#times.bytes);
  readonly #fieldsUsed = new Set<OtherField>();
  #others: readonly ViewedField[] = [];
  #view = this.#timeView;
  #starts = new Uint32Array(0);
  #ends = new Uint32Array(0);

  constructor(frames: FrameWriter, words: WordSet) {
    this.#frames = frames;
    this.#words = words;
  }

  write(input: TemplateInput, rows: TemplateRows, to: ByteWriter): void {
    const { mined } = input;
    const count = mined.templates.length;
    if (this.#starts.length < mined.templateOf.length) {
      this.#starts = new Uint32Array(mined.templateOf.length);
      this.#ends = new Uint32Array(mined.templateOf.length);
    }
    this.#directory.clear();
    this.#view = viewOf(input.values.bytes);
    this.#others = input.others.map((field) => {
      const { gathered } = field;
      const { bytes, offsets } = gathered.values;
      const codes = gathered.kind === "dict" ? gathered.codes : undefined;
      return { field, view: viewOf(bytes), offsets, codes };
    });
    for (let template = 0; template < count; template++) this.#template(input, rows, template);
    for (const { gathered } of this.#fieldsUsed) addValues(gathered.values, this.#words);
    this.#fieldsUsed.clear();
    const { out, text } = this.#frames.begin();
    out.varint(count);
    writeCodes(mined.templateOf, mined.templateOf.length, count, undefined, out, text);
    const { bytes } = this.#directory;
    out.varint(bytes.length);
    text.copy(bytes, 0, bytes.length);
    this.#frames.end(to);
  }

  #template(input: TemplateInput, { order, starts }: TemplateRows, template: number): void {
    const { bytes, variableCount } = input.mined.templates[template]!;
    const from = starts[template]!;
    const rowCount = starts[template + 1]! - from;
    this.#directory.blob(bytes);
    this.#directory.varint(rowCount);
    this.#variables.clear();
    if (rowCount > 0) {
      const rows = order.subarray(from, from + rowCount);
      for (let index = 0; index < variableCount; index++) this.#variable(input, rows, index);
    }
    this.#directory.written(this.#variables);
  }

  #variable(input: TemplateInput, rows: Uint32Array, index: number): void {
    const list = this.#rangesOf(input, rows, index);
    const to = this.#variables;
    if (rows.length >= referenceRowsMin) {
      const form = this.#timeForm(list, input.times, rows);
      if (form >= 0) {
        to.varint(variableKind.time);
        to.varint(form);
        return;
      }
      const other = this.#otherEqualTo(list, rows);
      if (other !== undefined) {
        to.varint(variableKind.field);
        to.varint(other.ordinal);
        this.#fieldsUsed.add(other);
        return;
      }
    }
    to.varint(variableKind.list);
    writeList(list, this.#frames.begin(), this.#words);
    this.#frames.end(to);
  }

  /** The field that has every value in its row. */
  #otherEqualTo(list: Ranges, rows: Uint32Array): OtherField | undefined {
    const others = this.#others;
    for (let i = 0; i < others.length; i++) {
      const other = others[i]!;
      if (isEqualTo(list, other, rows)) return other.field;
    }
    return undefined;
  }

  #rangesOf({ values, mined }: TemplateInput, rows: Uint32Array, index: number): Ranges {
    const starts = this.#starts;
    const ends = this.#ends;
    const { variablesAt } = mined;
    for (let i = 0; i < rows.length; i++) {
      const variable = variablesAt[rows[i]!]! + index;
      starts[i] = mined.starts[variable]!;
      ends[i] = mined.ends[variable]!;
    }
    return { bytes: values.bytes, view: this.#view, starts, ends, count: rows.length };
  }

  /** The form in which every value is its record's time; -1 when there is none. */
  #timeForm(list: Ranges, ms: Float64Array, rows: Uint32Array): number {
    const form = timeFormOf(list.ends[0]! - list.starts[0]!);
    if (form < 0 || !this.#areTimes(form, list, ms, rows)) return -1;
    this.#addTimeWords(form, ms, rows);
    return form;
  }

  #areTimes(
    form: number,
    { view, starts, ends, count }: Ranges,
    ms: Float64Array,
    rows: Uint32Array,
  ): boolean {
    const length = ends[0]! - starts[0]!;
    const texts = this.#times;
    const own = this.#timeView;
    for (let i = 0; i < count; i++) {
      if (ends[i]! - starts[i]! !== length || texts.print(form, ms[rows[i]!]!) !== length) {
        return false;
      }
      if (!isSame(view, starts[i]!, length, own, 0)) return false;
    }
    return true;
  }

  #addTimeWords(form: number, ms: Float64Array, rows: Uint32Array): void {
    // Dates are few and clocks have sixty words; only what joins both, or has milliseconds, differs row by row.
    const unit = form <= clockForm ? dayMs : 1;
    let before = Number.NaN;
    for (let i = 0; i < rows.length; i++) {
      const time = ms[rows[i]!]!;
      const at = Math.floor(time / unit);
      if (at === before) continue;
      before = at;
      addWordsOf(this.#times.bytes, 0, this.#times.print(form, time), this.#words);
    }
    if (form === dateForm || form > clockForm) return;
    for (let at = 0; at < sixty.length; at += 3) addWordsOf(sixty, at, at + 2, this.#words);
  }
}

const dayMs = 86_400_000;
const sixty = Buffer.from(
  Array.from({ length: 60 }, (_, i) => String(i).padStart(2, "0")).join(" "),
);

function addValues({ bytes, offsets }: Values, words: WordSet): void {
  for (let i = 0; i < offsets.length - 1; i++)
    addWordsOf(bytes, offsets[i]!, offsets[i + 1]!, words);
}

interface ViewedField {
  readonly field: OtherField;
  readonly view: DataView;
  readonly offsets: Uint32Array;
  /** The value of each row; undefined where each has its own. */
  readonly codes: Uint16Array | undefined;
}

/** Whether every value is the other field's of its row. The first value tells most of the others apart. */
function isEqualTo(list: Ranges, other: ViewedField, rows: Uint32Array): boolean {
  const { view, starts, ends, count } = list;
  const { view: own, offsets, codes } = other;
  for (let i = 0; i < count; i++) {
    const row = rows[i]!;
    const value = codes === undefined ? row : codes[row]!;
    const from = offsets[value]!;
    const length = offsets[value + 1]! - from;
    if (length !== ends[i]! - starts[i]! || length === 0) return false;
    if (!isSame(own, from, length, view, starts[i]!)) return false;
  }
  return true;
}
