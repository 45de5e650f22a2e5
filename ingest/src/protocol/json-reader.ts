import { copyBytes } from "../../../storage/src/format/words.ts";
import { nestingMax } from "../limits.ts";
import type { DecodeFault } from "./fault.ts";
import {
  byte,
  documentSpaces,
  escapeAt,
  hasWord,
  isDigit,
  lineSpaces,
  numberEnd,
  plainCount,
  plainEnd,
  putCodePoint,
  skipSpace,
  stringEnd,
  stringFaults,
} from "./json-scan.ts";
import type { SourceBytes } from "./source-bytes.ts";

/**
 * Reads JSON where it lies, without strings or objects for what it reads. `at` is the cursor of the methods
 * that know what they expect; faults are thrown as the reader's one `DecodeFault`.
 */
export class JsonReader {
  readonly source: SourceBytes;
  readonly fault: DecodeFault;
  at = 0;
  /** What counts as white space: `lineSpaces` where a line feed ends a record. */
  spaces: Uint8Array = documentSpaces;
  /** The last string or number read: a slice of the source, unescaped into scratch where it had to be. */
  start = 0;
  end = 0;
  /** The name of the member that `object` is at: a slice of the source. */
  nameStart = 0;
  nameEnd = 0;
  /** Of each level that `skipValue` is in: whether it is an object. */
  readonly #isObject = new Uint8Array(nestingMax + 1);

  constructor(source: SourceBytes, fault: DecodeFault) {
    this.source = source;
    this.fault = fault;
  }

  /** Reads the string whose opening quote stands at `at`; returns the position after it. */
  string(at: number): number {
    const { bytes } = this.source;
    const end = plainEnd(bytes, at + 1);
    if (bytes[end] === byte.quote) {
      this.start = at + 1;
      this.end = end;
      return end + 1;
    }
    return this.unescape(at + 1, end);
  }

  /**
   * Reads the string whose content begins at `start` and is plain up to `plainThrough`, writing what it stands for to
   * scratch; returns the position after its quote.
   */
  unescape(start: number, plainThrough: number): number {
    const { source } = this;
    const { bytes, view } = source;
    source.reserve(plainThrough - start);
    copyBytes(view, bytes, start, plainThrough, view, bytes, source.scratch);
    let to = source.scratch + plainThrough - start;
    let at = plainThrough;
    // A word may be written past what it is good for, and an escape stands for at most four bytes.
    const toMax = bytes.length - 4;
    for (;;) {
      if (to > toMax) throw source.isFull();
      const word = view.getInt32(at, true);
      view.setInt32(to, word, true);
      const plain = plainCount(word);
      at += plain;
      to += plain;
      if (plain === 4) continue;
      if (bytes[at] === byte.quote) break;
      if (to > toMax) throw source.isFull();
      const code = escapeAt(bytes, at, source.bodyEnd);
      if (code < 0) {
        throw this.fault.set(stringFaults[code] ?? "a string cannot be read", plainThrough);
      }
      at += bytes[at + 1] !== 0x75 ? 2 : code > 0xffff ? 12 : 6;
      if (code < 0x80) bytes[to++] = code;
      else to = putCodePoint(bytes, to, code);
    }
    this.start = source.scratch;
    this.end = to;
    source.scratch = to;
    return at + 1;
  }

  /** Checks the value at `at` and returns the position after it. */
  skipValue(at: number): number {
    const { bytes } = this.source;
    const isObject = this.#isObject;
    let depth = 0;
    for (;;) {
      const c = bytes[at] as number;
      if (c === byte.openBrace || c === byte.openBracket) {
        if (++depth > nestingMax) throw this.fault.set(`more than ${nestingMax} levels deep`, at);
        isObject[depth] = c === byte.openBrace ? 1 : 0;
        at = skipSpace(bytes, at + 1, this.spaces);
        if (bytes[at] !== (c === byte.openBrace ? byte.closeBrace : byte.closeBracket)) {
          if (isObject[depth] === 1) at = this.#skipName(at);
          continue;
        }
        at++;
        depth--;
      } else {
        at = this.skipScalar(at);
      }
      for (; depth > 0; depth--) {
        at = skipSpace(bytes, at, this.spaces);
        const inObject = isObject[depth] === 1;
        if (bytes[at] === byte.comma) {
          at = skipSpace(bytes, at + 1, this.spaces);
          if (inObject) at = this.#skipName(at);
          break;
        }
        if (bytes[at] !== (inObject ? byte.closeBrace : byte.closeBracket)) {
          throw this.unexpected(at, inObject ? '"," or "}"' : '"," or "]"');
        }
        at++;
      }
      if (depth === 0) return at;
    }
  }

  /** Checks the string, number or word at `at` and returns the position after it. */
  skipScalar(at: number): number {
    const { bytes, bodyEnd } = this.source;
    const c = bytes[at] as number;
    if (c === byte.quote) {
      const end = stringEnd(bytes, at + 1, bodyEnd);
      if (end < 0) throw this.fault.set(stringFaults[end] ?? "a string cannot be read", at);
      return end + 1;
    }
    if (c === byte.minus || isDigit(c)) {
      const end = numberEnd(bytes, at);
      if (end < 0) throw this.fault.set("a number is not written as JSON writes it", at);
      return end;
    }
    for (const word of ["true", "false", "null"]) {
      if (hasWord(bytes, at, word)) return at + word.length;
    }
    throw this.unexpected(at, "a value");
  }

  /** The fault for something else than was expected at `at`. */
  unexpected(at: number, expected: string): DecodeFault {
    const { bytes, bodyEnd } = this.source;
    const isAtEnd = at >= bodyEnd || (bytes[at] === byte.lineFeed && this.spaces === lineSpaces);
    if (isAtEnd) return this.fault.set(`the JSON ends where ${expected} was expected`, at);
    for (const word of ["NaN", "Infinity", "-Infinity"]) {
      if (hasWord(bytes, at, word)) return this.fault.set(`${word} is not JSON`, at);
    }
    return this.fault.set(`expected ${expected}`, at);
  }

  /** Moves the cursor over white space and returns the byte there; 0 at the end. */
  peek(): number {
    this.at = skipSpace(this.source.bytes, this.at, this.spaces);
    return this.source.bytes[this.at] as number;
  }

  /** Moves the cursor over `wanted`. */
  expect(wanted: number): void {
    if (this.peek() !== wanted) {
      throw this.unexpected(this.at, JSON.stringify(String.fromCharCode(wanted)));
    }
    this.at++;
  }

  /** Reads a string at the cursor into `start`, `end`; false, and the value skipped, for anything else. */
  tryString(): boolean {
    const isString = this.peek() === byte.quote;
    this.at = isString ? this.string(this.at) : this.skipValue(this.at);
    return isString;
  }

  /** The name of the member that `object` is at. */
  get name(): string {
    return this.source.textOf(this.nameStart, this.nameEnd);
  }

  /**
   * Reads the object at the cursor. `member` finds the name in `name` (before it reads on) and must move
   * the cursor past the value.
   */
  object(member: () => void): void {
    this.expect(byte.openBrace);
    if (this.peek() === byte.closeBrace) {
      this.at++;
      return;
    }
    for (;;) {
      if (this.peek() !== byte.quote) throw this.unexpected(this.at, "a name in quotes");
      this.at = this.string(this.at);
      this.nameStart = this.start;
      this.nameEnd = this.end;
      this.expect(byte.colon);
      this.peek();
      member();
      const c = this.peek();
      if (c !== byte.closeBrace && c !== byte.comma) throw this.unexpected(this.at, '"," or "}"');
      this.at++;
      if (c === byte.closeBrace) return;
    }
  }

  /** Checks the object at the cursor and moves past it; returns where the value of each name stands. */
  members(): Map<string, number> {
    const places = new Map<string, number>();
    this.object(() => {
      places.set(this.name, this.at);
      this.at = this.skipValue(this.at);
    });
    return places;
  }

  /** Reads the array at the cursor; `element` must move the cursor past each value. */
  array(element: () => void): void {
    this.expect(byte.openBracket);
    if (this.peek() === byte.closeBracket) {
      this.at++;
      return;
    }
    for (;;) {
      this.peek();
      element();
      const c = this.peek();
      if (c !== byte.closeBracket && c !== byte.comma) throw this.unexpected(this.at, '"," or "]"');
      this.at++;
      if (c === byte.closeBracket) return;
    }
  }

  #skipName(at: number): number {
    const { bytes } = this.source;
    if (bytes[at] !== byte.quote) throw this.unexpected(at, "a name in quotes");
    at = skipSpace(bytes, this.skipScalar(at), this.spaces);
    if (bytes[at] !== byte.colon) throw this.unexpected(at, '":"');
    return skipSpace(bytes, at + 1, this.spaces);
  }
}
