import { DecodeFault } from "./fault.ts";
import type { JsonReader } from "./json-reader.ts";
import type { JsonRecords } from "./json-record.ts";
import { byte, lineSpaces } from "./json-scan.ts";
import type { LineShapes } from "./line-shapes.ts";
import type { RecordSink } from "./sink.ts";

/**
 * One JSON object a line. A line that cannot be read is rejected with its reason and number, and the next
 * one read; empty lines count but are no records.
 */
export class JsonLines {
  /** Why the line that was read alike last was rejected after all. */
  failure: string | undefined = undefined;
  readonly #reader: JsonReader;
  readonly #records: JsonRecords;
  readonly #shapes: LineShapes;
  readonly #sink: RecordSink;

  constructor(reader: JsonReader, records: JsonRecords, shapes: LineShapes, sink: RecordSink) {
    this.#reader = reader;
    this.#records = records;
    this.#shapes = shapes;
    this.#sink = sink;
  }

  decode(): void {
    const { source } = this.#reader;
    const { bytes, bodyEnd } = source;
    this.#reader.spaces = lineSpaces;
    // One look at the whole body spares one at each string.
    const isUtf8 = source.isUtf8(0, bodyEnd);
    this.begin();
    let line = 0;
    let at = byteOrderMarkEnd(bytes);
    while (at < bodyEnd) {
      line++;
      const end = isUtf8 ? this.readAlike(at, line) : -1;
      at = end < 0 ? this.#readLine(at, line, isUtf8) : end + 1;
    }
  }

  /** To be called before the lines of a body. */
  begin(): void {
    this.#shapes.begin();
  }

  /**
   * Reads the line as a record if it is written like an earlier one, and hands it on; returns where it ends, or -1.
   * Only for what is known to be UTF-8.
   */
  readAlike(start: number, line: number): number {
    const sink = this.#sink;
    const shapes = this.#shapes;
    sink.begin();
    const shape = shapes.read(start);
    if (shape === undefined) return -1;
    this.failure = sink.acceptLine(shape, shapes.valueBytes, line, start, shapes.end);
    return shapes.end;
  }

  /** Reads the line that starts at `start` as a record; returns the start of the next line. */
  #readLine(start: number, line: number, isUtf8: boolean): number {
    const { source } = this.#reader;
    const sink = this.#sink;
    let at = start;
    while (isBlank(source.bytes[at] as number)) at++;
    if (at >= source.bodyEnd || source.bytes[at] === byte.lineFeed) return at + 1;
    sink.begin();
    try {
      if (!isUtf8) this.#checkUtf8(start);
      const end = this.readObject(start, at);
      sink.accept(line, start, end);
      return end + 1;
    } catch (thrown) {
      if (!(thrown instanceof DecodeFault)) throw thrown;
      const end = lineEnd(source.bytes, start, source.bodyEnd);
      sink.reject(line, reasonOf(thrown, start, end), start, end);
      return end + 1;
    }
  }

  /** Reads the object at `at`, of the line that starts at `start`, into the sink's record; returns where the line ends. */
  readObject(start: number, at: number): number {
    const { bytes, bodyEnd } = this.#reader.source;
    if (bytes[at] !== byte.openBrace) throw this.#notObject(at);
    at = this.#records.read(at);
    while (isBlank(bytes[at] as number)) at++;
    if (bytes[at] !== byte.lineFeed && at < bodyEnd) {
      throw this.#reader.fault.set("something follows the object", at);
    }
    this.#shapes.learn(this.#records.trace, start, at);
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
