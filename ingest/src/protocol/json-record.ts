import type { FieldNames } from "../../../storage/src/format/field-names.ts";
import { depthMax, fieldNameMaxBytes } from "../limits.ts";
import type { JsonReader } from "./json-reader.ts";
import { byte, hasWord, isDigit, numberEnd, plainEnd, skipSpace } from "./json-scan.ts";
import { LineTrace } from "./line-trace.ts";
import type { RecordFields } from "./record.ts";
import type { SourceBytes } from "./source-bytes.ts";

/**
 * Reads a JSON object as a record: members of nested objects get dotted names, arrays are kept as their
 * JSON text, numbers as they are written; `null` is no field.
 */
export class JsonRecords {
  readonly #reader: JsonReader;
  readonly #source: SourceBytes;
  readonly #record: RecordFields;
  readonly #names: FieldNames;
  /** What `read` met last. */
  readonly trace = new LineTrace();
  /** The whole name of the member being read, as a slice of the source. */
  #nameStart = 0;
  #nameEnd = 0;

  constructor(reader: JsonReader, record: RecordFields, names: FieldNames) {
    this.#reader = reader;
    this.#source = reader.source;
    this.#record = record;
    this.#names = names;
  }

  /** Reads the object whose brace stands at `at` into the record; returns the position after it. */
  read(at: number): number {
    this.trace.begin();
    return this.#members(at, 1, 0, 0);
  }

  /** As `read`, all names put behind `prefix` (a slice of the source) and a dot. */
  readUnder(at: number, prefixStart: number, prefixEnd: number): number {
    return this.#members(at, 2, prefixStart, prefixEnd);
  }

  #members(at: number, depth: number, prefixStart: number, prefixEnd: number): number {
    const bytes = this.#source.bytes;
    at = skipSpace(bytes, at + 1, this.#reader.spaces);
    if (bytes[at] === byte.closeBrace) return at + 1;
    for (;;) {
      if (bytes[at] !== byte.quote) throw this.#reader.unexpected(at, "a field name in quotes");
      at = this.#name(at);
      if (bytes[at] === byte.openBrace) {
        at = this.#nested(at, depth, prefixStart, prefixEnd);
      } else {
        const nameId = prefixEnd === 0 ? this.#plainId() : this.#dottedId(prefixStart, prefixEnd);
        at = bytes[at] === byte.quote ? this.#string(at, nameId) : this.#other(at, nameId);
      }
      let c = bytes[at] as number;
      if (c <= byte.space) {
        at = skipSpace(bytes, at, this.#reader.spaces);
        c = bytes[at] as number;
      }
      if (c === byte.closeBrace) return at + 1;
      if (c !== byte.comma) throw this.#reader.unexpected(at, '"," or "}"');
      at++;
      if (bytes[at] !== byte.quote) at = skipSpace(bytes, at, this.#reader.spaces);
    }
  }

  /** Reads a name and its colon; returns the position of the value. */
  #name(at: number): number {
    const bytes = this.#source.bytes;
    const end = plainEnd(bytes, at + 1);
    this.#nameStart = at + 1;
    this.#nameEnd = end;
    if (bytes[end] === byte.quote) {
      at = end + 1;
    } else {
      at = this.#reader.string(at);
      this.#nameStart = this.#reader.start;
      this.#nameEnd = this.#reader.end;
    }
    if (bytes[at] !== byte.colon) {
      at = skipSpace(bytes, at, this.#reader.spaces);
      if (bytes[at] !== byte.colon) throw this.#reader.unexpected(at, '":" after a field name');
    }
    at++;
    return (bytes[at] as number) <= byte.space ? skipSpace(bytes, at, this.#reader.spaces) : at;
  }

  #string(at: number, nameId: number): number {
    const bytes = this.#source.bytes;
    const end = plainEnd(bytes, at + 1);
    if (bytes[end] === byte.quote) {
      this.trace.add(nameId, at + 1, end, true);
      this.#put(nameId, at + 1, end, true);
      return end + 1;
    }
    const after = this.#reader.string(at);
    this.trace.add(nameId, at + 1, after - 1, true);
    this.#put(nameId, this.#reader.start, this.#reader.end, true);
    return after;
  }

  /** A number, a word or an array. */
  #other(at: number, nameId: number): number {
    const bytes = this.#source.bytes;
    const c = bytes[at] as number;
    let end: number;
    if (c === byte.minus || isDigit(c)) {
      end = numberEnd(bytes, at);
      if (end < 0) {
        const isWord = bytes[at + 1] === 0x49;
        throw isWord
          ? this.#reader.unexpected(at, "a value")
          : this.#reader.fault.set("a number is not written as JSON writes it", at);
      }
    } else if (hasWord(bytes, at, "null")) {
      this.trace.add(nameId, at, at + 4, false);
      if (nameId >= 0) this.#record.clear(nameId);
      else this.trace.isWhole = false;
      return at + 4;
    } else {
      end = this.#reader.skipValue(at);
    }
    this.trace.add(nameId, at, end, false);
    this.#put(nameId, at, end, false);
    return end;
  }

  #put(nameId: number, start: number, end: number, isText: boolean): void {
    if (nameId >= 0 && this.#record.put(nameId, start, end)) return;
    this.trace.isWhole = false;
    this.#record.putOverflow(this.#keptName(), start, end, isText);
  }

  #nested(at: number, depth: number, prefixStart: number, prefixEnd: number): number {
    const source = this.#source;
    const isRoot = prefixEnd === 0;
    const nameBytes = this.#nameEnd - this.#nameStart + (isRoot ? 0 : prefixEnd - prefixStart + 1);
    if (depth >= depthMax || nameBytes > fieldNameMaxBytes) {
      const nameId = isRoot ? this.#plainId() : this.#dottedId(prefixStart, prefixEnd);
      const end = this.#reader.skipValue(at);
      this.trace.isWhole = false;
      this.#put(nameId, at, end, false);
      return end;
    }
    if (isRoot) return this.#members(at, depth + 1, this.#nameStart, this.#nameEnd);
    const start = this.#compose(prefixStart, prefixEnd);
    return this.#members(at, depth + 1, start, source.scratch);
  }

  /** The id of the name as it stands; -1 where it can be no column's. */
  #plainId(): number {
    const length = this.#nameEnd - this.#nameStart;
    if (length === 0 || length > fieldNameMaxBytes) return -1;
    return this.#names.idOf(this.#source.bytes, this.#nameStart, this.#nameEnd);
  }

  #dottedId(prefixStart: number, prefixEnd: number): number {
    const source = this.#source;
    const before = source.scratch;
    this.#nameStart = this.#compose(prefixStart, prefixEnd);
    this.#nameEnd = source.scratch;
    const nameId = this.#plainId();
    // The value may be unescaped over a name that has its id; the name of an overflowing field is still needed.
    if (nameId >= 0 && !this.#record.isFull) source.scratch = before;
    return nameId;
  }

  #compose(prefixStart: number, prefixEnd: number): number {
    const source = this.#source;
    const start = source.scratch;
    source.putSlice(prefixStart, prefixEnd);
    source.putByte(byte.dot);
    source.putSlice(this.#nameStart, this.#nameEnd);
    return start;
  }

  #keptName(): { start: number; end: number } {
    return { start: this.#nameStart, end: this.#nameEnd };
  }
}
