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
  // One text's template while it is scanned.
  readonly #draft = new Uint8Array(textBytesMined + templateVariablesMax + 1);
  #draftLength = 0;
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
        template = this.#lookUp(this.#count - first);
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

  /** Splits a text; false when it has more variables than a template may have. */
  #scan(bytes: Buffer, start: number, end: number): boolean {
    const draft = this.#draft;
    const table = kindOf;
    const countMax = this.#count + templateVariablesMax;
    let length = 0;
    let hash = 7;
    let at = start;
    let quoteSeen = -1;
    while (at < end) {
      // A run: up to the next delimiter; "=" ends it unless it is within an address.
      const runStart = at;
      const lengthBefore = length;
      const hashBefore = hash;
      let seen = 0;
      let byte = 0;
      let is = 0;
      while (at < end) {
        byte = bytes[at] as number;
        is = table[byte] as number;
        if (is >= kind.equals && (is !== kind.equals || (seen & kind.slash) === 0)) break;
        seen |= is;
        draft[length++] = byte;
        hash = Math.imul(hash ^ byte, 0x01000193);
        at++;
      }
      if ((seen & 3) !== 0) {
        if (this.#count === countMax) return false;
        const stop = trimmedEnd(bytes, runStart, at);
        this.#starts[this.#count] = runStart;
        this.#ends[this.#count++] = stop;
        length = lengthBefore;
        draft[length++] = variableMark;
        hash = Math.imul(hashBefore ^ variableMark, 0x01000193);
        for (let i = stop; i < at; i++) {
          const rest = bytes[i] as number;
          draft[length++] = rest;
          hash = Math.imul(hash ^ rest, 0x01000193);
        }
      }
      if (at === end) break;
      draft[length++] = byte;
      hash = Math.imul(hash ^ byte, 0x01000193);
      at++;
      if (is === kind.quote && at - 1 !== quoteSeen) {
        const close = quoteEnd(bytes, at, end);
        if (close === end) continue;
        quoteSeen = close;
        if (!isSentence(bytes, at, close)) continue;
        if (this.#count === countMax) return false;
        this.#starts[this.#count] = at;
        this.#ends[this.#count++] = close;
        draft[length++] = variableMark;
        hash = Math.imul(hash ^ variableMark, 0x01000193);
        at = close;
      }
    }
    this.#draftLength = length;
    this.#hash = hash ^ (hash >>> 15);
    return true;
  }

  /** The number of the template just scanned, a new one if it is new; 0 when there are too many. */
  #lookUp(variableCount: number): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    const length = this.#draftLength;
    for (let slot = this.#hash & mask; ; slot = (slot + 1) & mask) {
      const template = slots[slot] as number;
      if (template === 0) return this.#add(slot, variableCount);
      if (this.#equals(template, length)) return template;
    }
  }

  #equals(template: number, length: number): boolean {
    const from = this.#offsets[template] as number;
    if ((this.#offsets[template + 1] as number) - from !== length) return false;
    const bytes = this.#bytes;
    const draft = this.#draft;
    for (let i = 0; i < length; i++) if (bytes[from + i] !== draft[i]) return false;
    return true;
  }

  #add(slot: number, variableCount: number): number {
    const template = this.#templates;
    const from = this.#offsets[template] as number;
    const end = from + this.#draftLength;
    if (template === templatesMax || end > templateBytesMax) return 0;
    if (end > this.#bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(end, this.#bytes.length * 2));
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    this.#bytes.set(this.#draft.subarray(0, this.#draftLength), from);
    this.#offsets[template + 1] = end;
    this.#variableCounts[template] = variableCount;
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

/** Where the next quote is, `end` when there is none. */
function quoteEnd(bytes: Buffer, at: number, end: number): number {
  while (at < end && bytes[at] !== quoteByte) at++;
  return at;
}

/** More than three words on one line. */
function isSentence(bytes: Buffer, start: number, end: number): boolean {
  let spaces = 0;
  for (let i = start; i < end; i++) {
    const byte = bytes[i] as number;
    if (byte === space) spaces++;
    else if (byte === newline) return false;
  }
  return spaces > 2;
}
