import type { Values } from "../../../kit/src/block.ts";
import { isSame, viewOf } from "../format/words.ts";
import { templateBytesMax, templatesMax, templateVariablesMax, textBytesMined } from "./limits.ts";

/** Stands for a variable in the bytes of a template. No template has it otherwise: see `classOf`. */
export const variableMark = 1;

/** Texts split into templates and variables. Template 0 is the raw one: a single variable. */
export interface MinedTexts {
  /** Template of each row. */
  readonly templateOf: Uint16Array;
  /** Place in `starts` and `ends` of each row's first variable; its others follow. */
  readonly variablesAt: Uint32Array;
  /** Where in the texts' bytes each variable lies. */
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
  readonly templates: readonly MinedTemplate[];
}

export interface MinedTemplate {
  /** The text with `variableMark` for each variable. */
  readonly bytes: Buffer;
  readonly variableCount: number;
}

/** What a byte is within a text. */
const kind = { plain: 0, digit: 1, slash: 2, equals: 4, delimiter: 8, quote: 16 } as const;
const kindOf = kinds();

function kinds(): Uint8Array {
  const table = new Uint8Array(256);
  for (const char of " \t\r\n()[]{}<>,;|'") table[char.charCodeAt(0)] = kind.delimiter;
  for (const char of "0123456789") table[char.charCodeAt(0)] = kind.digit;
  table["/".charCodeAt(0)] = kind.slash;
  table["=".charCodeAt(0)] = kind.equals;
  table['"'.charCodeAt(0)] = kind.quote;
  // So that the mark is always within a variable, never in a template.
  table[variableMark] = kind.digit;
  return table;
}

/** Texts with the same first and last bytes share a guess; there are some thousand such ends in a block. */
const guessBits = 12;
const guessSlots = 1 << guessBits;

/** Rows that are mined by one call; see there. */
const rowsAtOnce = 512;

const quoteByte = 0x22;
const dot = 0x2e;
const colon = 0x3a;
const space = 0x20;
const newline = 0x0a;

/**
 * Finds the templates of texts by their bytes alone: masks what varies, as Drain does before it groups
 * (He, Zhu, Zheng, Lyu 2017), and takes what is left as the template. A variable is a run between delimiters that
 * holds a digit or slash, or a quoted text of more than three words; so it begins and ends at word boundaries.
 * The template is looked up by the hash of its bytes. Texts with like ends mostly are of like templates, so those of
 * the last ones are tried first: their literals are compared a word at a time, and nothing is hashed.
 */
export class Miner {
  #hash = 0;
  #starts = new Uint32Array(1 << 15);
  #ends = new Uint32Array(1 << 15);
  #count = 0;
  readonly #slots = new Int16Array(templatesMax * 4);
  readonly #offsets = new Uint32Array(templatesMax + 1);
  readonly #variableCounts = new Uint16Array(templatesMax);
  #bytes = Buffer.allocUnsafeSlow(1 << 16);
  #view = viewOf(this.#bytes);
  #templates = 0;
  /** For each variable: length of the literal before it, twice, and 1 if it is a sentence. */
  #plans = new Uint32Array(1 << 12);
  readonly #planAt = new Uint32Array(templatesMax + 1);
  /** The last two templates of texts with like ends; 0: none. */
  readonly #last = new Int16Array(guessSlots * 2);

  /** The result's arrays are valid until the next call. */
  mine({ bytes, offsets }: Values): MinedTexts {
    this.#clear();
    const rowCount = offsets.length - 1;
    const templateOf = new Uint16Array(rowCount);
    const variablesAt = new Uint32Array(rowCount);
    const view = viewOf(bytes);
    for (let from = 0; from < rowCount; from += rowsAtOnce) {
      const until = Math.min(rowCount, from + rowsAtOnce);
      this.#mineRows({ bytes, offsets }, view, from, until, templateOf, variablesAt);
    }
    const templates = this.#list();
    return { templateOf, variablesAt, starts: this.#starts, ends: this.#ends, templates };
  }

  /** Some rows: a loop over all of them would be compiled in its midst, and again for the next texts. */
  #mineRows(
    { bytes, offsets }: Values,
    view: DataView,
    from: number,
    until: number,
    templateOf: Uint16Array,
    variablesAt: Uint32Array,
  ): void {
    for (let row = from; row < until; row++) {
      const start = offsets[row] as number;
      const end = offsets[row + 1] as number;
      const first = this.#count;
      this.#reserve(first + templateVariablesMax + 1);
      let template = 0;
      if (end - start <= textBytesMined) template = this.#templateOf(bytes, view, start, end);
      if (template === 0) {
        this.#starts[first] = start;
        this.#ends[first] = end;
        this.#count = first + 1;
      }
      templateOf[row] = template;
      variablesAt[row] = first;
    }
  }

  #clear(): void {
    this.#slots.fill(0);
    this.#count = 0;
    this.#templates = 1;
    this.#bytes[0] = variableMark;
    this.#offsets[1] = 1;
    this.#variableCounts[0] = 1;
    this.#planAt[1] = 0;
    this.#last.fill(0);
  }

  /** The template of a text, whose variables are added; 0 when there is none. */
  #templateOf(bytes: Buffer, view: DataView, start: number, end: number): number {
    const first = this.#count;
    const last = this.#last;
    const guess = end - start < 4 ? 0 : guessSlot(view, start, end);
    const newest = last[guess] as number;
    if (newest > 0 && this.#follows(newest, bytes, view, start, end)) return newest;
    const older = last[guess + 1] as number;
    let template = 0;
    if (older > 0 && this.#follows(older, bytes, view, start, end)) template = older;
    else if (this.#scan(bytes, view, start, end)) template = this.#lookUp(bytes, start, end, first);
    last[guess + 1] = newest;
    last[guess] = template;
    return template;
  }

  /**
   * Whether the text is of this template, to the same variables as `#scan` finds, which then are added. What is no
   * variable is compared, and a variable has no quote and, but for sentences, no space: so what a quote begins is a
   * sentence in either text or in none.
   */
  #follows(template: number, bytes: Buffer, view: DataView, start: number, end: number): boolean {
    const plans = this.#plans;
    const own = this.#view;
    const planEnd = this.#planAt[template + 1] as number;
    let from = this.#offsets[template] as number;
    let count = this.#count;
    let at = start;
    for (let plan = this.#planAt[template] as number; plan < planEnd; plan++) {
      const next = plans[plan] as number;
      const length = next >>> 1;
      if (at + length >= end || !isSame(view, at, length, own, from)) return false;
      from += length + 1;
      at += length;
      this.#starts[count] = at;
      at = (next & 1) === 0 ? variableEnd(bytes, at, end) : sentenceEnd(bytes, view, at, end);
      if (at < 0 || ((next & 1) !== 0 && at === end)) return false;
      this.#ends[count++] = at;
    }
    const length = (this.#offsets[template + 1] as number) - from;
    if (at + length !== end || !isSame(view, at, length, own, from)) return false;
    this.#count = count;
    return true;
  }

  /**
   * Splits a text; false when it has more variables than a template may have. The hash takes a few bytes of each
   * run: enough to tell templates apart, and templates are compared byte by byte anyway.
   */
  #scan(bytes: Buffer, view: DataView, start: number, end: number): boolean {
    const table = kindOf;
    const countMax = this.#count + templateVariablesMax;
    let hash = 7;
    let at = start;
    let quoteSeen = -1;
    while (at < end) {
      // A run: up to the next delimiter; "=" ends it unless it is within an address.
      const runStart = at;
      let seen = 0;
      let is = 0;
      while (at < end) {
        is = table[bytes[at] as number] as number;
        if (is >= kind.equals && (is !== kind.equals || (seen & kind.slash) === 0)) break;
        seen |= is;
        at++;
      }
      if ((seen & 3) !== 0) {
        if (this.#count === countMax) return false;
        const stop = trimmedEnd(bytes, runStart, at);
        this.#starts[this.#count] = runStart;
        this.#ends[this.#count++] = stop;
        hash = Math.imul(hash ^ (at - stop + 1), 0x01000193);
      } else if (at > runStart) hash = Math.imul(hash ^ digest(bytes, runStart, at), 0x01000193);
      if (at === end) break;
      hash = Math.imul(hash ^ (bytes[at] as number), 0x01000193);
      at++;
      if (is !== kind.quote || at - 1 === quoteSeen) continue;
      const close = sentenceEnd(bytes, view, at, end);
      if (close === end) continue;
      quoteSeen = Math.abs(close);
      if (close < 0) continue;
      if (this.#count === countMax) return false;
      this.#starts[this.#count] = at;
      this.#ends[this.#count++] = close;
      hash = Math.imul(hash ^ variableMark, 0x01000193);
      at = close;
    }
    this.#hash = hash ^ (hash >>> 15);
    return true;
  }

  /** The template of the text just scanned, whose variables begin at `first`; 0 when there are too many. */
  #lookUp(bytes: Buffer, start: number, end: number, first: number): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let length = end - start + this.#count - first;
    for (let i = first; i < this.#count; i++) length -= this.#ends[i]! - this.#starts[i]!;
    for (let slot = this.#hash & mask; ; slot = (slot + 1) & mask) {
      const template = slots[slot] as number;
      if (template === 0) return this.#add(slot, bytes, start, end, first, length);
      const from = this.#offsets[template] as number;
      if (this.#offsets[template + 1]! - from !== length) continue;
      if (this.#equals(from, bytes, start, end, first)) return template;
    }
  }

  /** Whether the text is of the template at `from`, which is as long as that of the text. */
  #equals(from: number, bytes: Buffer, start: number, end: number, first: number): boolean {
    const own = this.#bytes;
    let at = start;
    for (let i = first; i < this.#count; i++) {
      const stop = this.#starts[i] as number;
      while (at < stop) if (own[from++] !== bytes[at++]) return false;
      if (own[from++] !== variableMark) return false;
      at = this.#ends[i] as number;
    }
    while (at < end) if (own[from++] !== bytes[at++]) return false;
    return true;
  }

  #add(
    slot: number,
    bytes: Buffer,
    start: number,
    end: number,
    first: number,
    length: number,
  ): number {
    const template = this.#templates;
    let to = this.#offsets[template] as number;
    const toEnd = to + length;
    if (template === templatesMax || toEnd > templateBytesMax) return 0;
    if (toEnd > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(toEnd, this.#bytes.length * 2));
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#view = viewOf(larger);
    }
    let plan = this.#planAt[template] as number;
    if (plan + this.#count - first > this.#plans.length) this.#plans = grown(this.#plans);
    let at = start;
    for (let i = first; i < this.#count; i++) {
      const literal = bytes.copy(this.#bytes, to, at, this.#starts[i]);
      to += literal;
      this.#bytes[to++] = variableMark;
      at = this.#ends[i] as number;
      this.#plans[plan++] = literal * 2 + (hasSpace(bytes, this.#starts[i]!, at) ? 1 : 0);
    }
    this.#planAt[template + 1] = plan;
    bytes.copy(this.#bytes, to, at, end);
    this.#offsets[template + 1] = toEnd;
    this.#variableCounts[template] = this.#count - first;
    this.#slots[slot] = template;
    this.#templates++;
    return template;
  }

  #reserve(count: number): void {
    if (count <= this.#starts.length) return;
    this.#starts = grown(this.#starts);
    this.#ends = grown(this.#ends);
  }

  #list(): MinedTemplate[] {
    const list: MinedTemplate[] = [];
    for (let i = 0; i < this.#templates; i++) {
      const bytes = Buffer.from(this.#bytes.subarray(this.#offsets[i], this.#offsets[i + 1]));
      list.push({ bytes, variableCount: this.#variableCounts[i] as number });
    }
    return list;
  }
}

function grown(array: Uint32Array): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(array.length * 2);
  larger.set(array);
  return larger;
}

/** The place in the table of guesses for a text of four bytes or more: by its ends, all digits being alike. */
function guessSlot(view: DataView, start: number, end: number): number {
  const first = Math.imul(digitsMasked(view.getInt32(start, true)), 0x9e3779b1);
  const hash = Math.imul(first ^ digitsMasked(view.getInt32(end - 4, true)), 0x85ebca6b);
  return (hash >>> (32 - guessBits)) * 2;
}

/** Four bytes with 0 for those from 0x30 to 0x3f. */
function digitsMasked(four: number): number {
  const other = ((four ^ 0x30303030) >>> 4) & 0x0f0f0f0f;
  const isOther = ((other + 0x0f0f0f0f) >>> 4) & 0x01010101;
  return four & Math.imul(isOther, 0xff);
}

/** The end of the run at `at`, trimmed, as `#scan` finds it; -1 when it is no variable. */
function variableEnd(bytes: Buffer, at: number, end: number): number {
  const table = kindOf;
  const start = at;
  let seen = 0;
  for (; at < end; at++) {
    const is = table[bytes[at] as number] as number;
    if (is < kind.equals) seen |= is;
    else if (is !== kind.equals || (seen & kind.slash) === 0) break;
  }
  return (seen & 3) === 0 ? -1 : trimmedEnd(bytes, start, at);
}

function hasSpace(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (bytes[at] === space) return true;
  return false;
}

/** Without the dots and colons that end a sentence or a key. */
function trimmedEnd(bytes: Buffer, start: number, end: number): number {
  while (end > start + 1 && (bytes[end - 1] === dot || bytes[end - 1] === colon)) end--;
  return end;
}

/** A number that tells most runs apart. */
function digest(bytes: Buffer, start: number, end: number): number {
  const length = end - start;
  const middle = bytes[start + (length >>> 1)] as number;
  return (
    (bytes[start] as number) |
    ((bytes[end - 1] as number) << 8) |
    (middle << 16) |
    ((length & 0x7f) << 24)
  );
}

/**
 * The end of a quoted text that begins at `at`: negative when it is no sentence (more than three words on one line),
 * `end` when the quote is not closed.
 */
function sentenceEnd(bytes: Buffer, view: DataView, at: number, end: number): number {
  let spaces = 0;
  for (; at < end && spaces <= 2; at++) {
    const byte = bytes[at] as number;
    if (byte === quoteByte) return -at;
    if (byte === space) spaces++;
    else if (byte === newline) spaces = Number.NEGATIVE_INFINITY;
  }
  for (const last = end - 3; at < last; at += 4) {
    const four = view.getInt32(at, true);
    if (hasZero(four ^ 0x22222222) || hasZero(four ^ 0x0a0a0a0a)) break;
  }
  for (; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte === quoteByte) return at;
    if (byte === newline) return afterLine(bytes, at, end);
  }
  return end;
}

/** Whether one of four bytes is 0. */
function hasZero(four: number): boolean {
  return ((four - 0x01010101) & ~four & 0x80808080) !== 0;
}

/** As `sentenceEnd`, for a text that has a line's end at `at`. */
function afterLine(bytes: Buffer, at: number, end: number): number {
  while (at < end && bytes[at] !== quoteByte) at++;
  return at === end ? end : -at;
}
