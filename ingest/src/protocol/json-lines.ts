import { DecodeFault } from "./fault.ts";
import type { JsonReader } from "./json-reader.ts";
import type { JsonRecords } from "./json-record.ts";
import { byte, lineSpaces } from "./json-scan.ts";
import type { RecordSink } from "./sink.ts";

/**
 * One JSON object a line. A line that cannot be read is rejected with its reason and number, and the next
 * one read; empty lines count but are no records.
 */
export class JsonLines {
  readonly #reader: JsonReader;
  readonly #records: JsonRecords;
  readonly #sink: RecordSink;

  constructor(reader: JsonReader, records: JsonRecords, sink: RecordSink) {
    this.#reader = reader;
    this.#records = records;
    this.#sink = sink;
  }

  decode(): void {
    const { source } = this.#reader;
    const { bytes, bodyEnd } = source;
    this.#reader.spaces = lineSpaces;
    // One look at the whole body spares one at each string.
    const isUtf8 = source.isUtf8(0, bodyEnd);
    let line = 0;
    let at = byteOrderMarkEnd(bytes);
    while (at < bodyEnd) {
      line++;
      const start = at;
      while (isBlank(bytes[at] as number)) at++;
      if (at >= bodyEnd) return;
      if (bytes[at] === byte.lineFeed) at++;
      else at = this.readLine(start, at, line, isUtf8);
    }
  }

  /**
   * Reads the line that starts at `start`, its first byte that is not blank standing at `at`, as a record.
   * Returns the start of the next line.
   */
  readLine(start: number, at: number, line: number, isUtf8: boolean): number {
    const { source } = this.#reader;
    const sink = this.#sink;
    sink.begin();
    try {
      if (!isUtf8) this.#checkUtf8(start);
      const end = this.readObject(at);
      sink.accept(line, start, end);
      return end + 1;
    } catch (thrown) {
      if (!(thrown instanceof DecodeFault)) throw thrown;
      const end = lineEnd(source.bytes, start, source.bodyEnd);
      sink.reject(line, reasonOf(thrown, start, end), start, end);
      return end + 1;
    }
  }

  /** Reads the object at `at` into the sink's record, and the line to its end; returns where it ends. */
  readObject(at: number): number {
    const { bytes, bodyEnd } = this.#reader.source;
    if (bytes[at] !== byte.openBrace) throw this.#notObject(at);
    at = this.#records.read(at);
    while (isBlank(bytes[at] as number)) at++;
    if (bytes[at] !== byte.lineFeed && at < bodyEnd) {
      throw this.#reader.fault.set("something follows the object", at);
    }
    return at;
  }

  /** A value that is whole but no object gets another reason than one that cannot be read. */
  #notObject(at: number): DecodeFault {
    this.#reader.skipValue(at);
    return this.#reader.fault.set("a record must be a JSON object", at);
  }

  #checkUtf8(start: number): void {
    const { source, fault } = this.#reader;
    if (!source.isUtf8(start, lineEnd(source.bytes, start, source.bodyEnd))) {
      throw fault.set("the record is not valid UTF-8", start);
    }
  }
}

/** The reason with the place in its line, where the fault lies in it. */
export function reasonOf(fault: DecodeFault, lineStart: number, end: number): string {
  const isInside = fault.at >= lineStart && fault.at <= end;
  return isInside ? `${fault.reason}, at byte ${fault.at - lineStart + 1}` : fault.reason;
}

/** Where the line that `at` lies in ends: at its line feed, or at the end of the body. */
export function lineEnd(bytes: Buffer, at: number, bodyEnd: number): number {
  const end = bytes.indexOf(byte.lineFeed, at);
  return end < 0 || end > bodyEnd ? bodyEnd : end;
}

/** The first byte after a byte order mark, which some writers put in front. */
export function byteOrderMarkEnd(bytes: Uint8Array): number {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
}

/** White space within a line. */
export function isBlank(c: number): boolean {
  return c === byte.space || c === byte.tab || c === byte.carriageReturn;
}
