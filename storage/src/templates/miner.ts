import type { Values } from "../../../kit/src/block.ts";
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

const quoteByte = 0x22;
const dot = 0x2e;
const colon = 0x3a;
const space = 0x20;
const newline = 0x0a;

/**
 * Finds the templates of texts by their bytes alone: masks what varies, as Drain does before it groups
 * (He, Zhu, Zheng, Lyu 2017), and takes what is left as the template. A variable is a run between delimiters that
 * holds a digit or slash, or a quoted text of more than three words; so it begins and ends at word boundaries.
 * The template is looked up by the hash of its bytes: a known shape costs one pass and no allocation.
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
  #templates = 0;

  /** The result's arrays are valid until the next call. */
  mine({ bytes, offsets }: Values): MinedTexts {
    this.#clear();
    const rowCount = offsets.length - 1;
    const templateOf = new Uint16Array(rowCount);
    const variablesAt = new Uint32Array(rowCount);
    for (let row = 0; row < rowCount; row++) {
      const start = offsets[row] as number;
      const end = offsets[row + 1] as number;
      const first = this.#count;
      this.#reserve(first + templateVariablesMax + 1);
      let template = 0;
      if (end - start <= textBytesMined && this.#scan(bytes, start, end)) {
        template = this.#lookUp(bytes, start, end, first);
      }
      if (template === 0) {
        this.#starts[first] = start;
        this.#ends[first] = end;
        this.#count = first + 1;
      }
      templateOf[row] = template;
      variablesAt[row] = first;
    }
    const { templates, starts, ends } = {
      templates: this.#list(),
      starts: this.#starts,
      ends: this.#ends,
    };
    return { templateOf, variablesAt, starts, ends, templates };
  }

  #clear(): void {
    this.#slots.fill(0);
    this.#count = 0;
    this.#templates = 1;
    this.#bytes[0] = variableMark;
    this.#offsets[1] = 1;
    this.#variableCounts[0] = 1;
  }

  /**
   * Splits a text; false when it has more variables than a template may have. The hash takes a few bytes of each
   * run: enough to tell templates apart, and templates are compared byte by byte anyway.
   */
  #scan(bytes: Buffer, start: number, end: number): boolean {
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
      const close = sentenceEnd(bytes, at, end);
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
      const grown = Buffer.allocUnsafeSlow(Math.max(toEnd, this.#bytes.length * 2));
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    let at = start;
    for (let i = first; i < this.#count; i++) {
      to += bytes.copy(this.#bytes, to, at, this.#starts[i]);
      this.#bytes[to++] = variableMark;
      at = this.#ends[i] as number;
    }
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
function sentenceEnd(bytes: Buffer, at: number, end: number): number {
  let spaces = 0;
  for (; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte === quoteByte) return spaces > 2 ? at : -at;
    if (byte === space) spaces++;
    else if (byte === newline) spaces = Number.NEGATIVE_INFINITY;
  }
  return end;
}
