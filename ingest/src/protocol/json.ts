import { BodyFault, DecodeFault } from "./fault.ts";
import { byteOrderMarkEnd, reasonOf } from "./json-lines.ts";
import type { JsonReader } from "./json-reader.ts";
import type { JsonRecords } from "./json-record.ts";
import { byte, documentSpaces, skipSpace } from "./json-scan.ts";
import type { RecordSink } from "./sink.ts";

/**
 * One JSON document: an object, or an array of objects, or several of these one after the other. A record is
 * numbered by its place. What is no JSON fails the request, since nothing tells where the next record begins.
 */
export class JsonDocument {
  readonly #reader: JsonReader;
  readonly #records: JsonRecords;
  readonly #sink: RecordSink;
  #number = 0;

  constructor(reader: JsonReader, records: JsonRecords, sink: RecordSink) {
    this.#reader = reader;
    this.#records = records;
    this.#sink = sink;
  }

  /** Throws `BodyFault`. */
  decode(): void {
    const reader = this.#reader;
    const { source } = reader;
    if (!source.isUtf8(0, source.bodyEnd)) throw new BodyFault("the body is not valid UTF-8");
    this.#number = 0;
    reader.spaces = documentSpaces;
    try {
      let at = skipSpace(source.bytes, byteOrderMarkEnd(source.bytes), documentSpaces);
      while (at < source.bodyEnd) {
        if (source.bytes[at] === byte.openBracket) {
          reader.at = at;
          reader.array(() => {
            reader.at = this.#record(reader.at);
          });
          at = reader.at;
        } else {
          at = this.#record(at);
        }
        at = skipSpace(source.bytes, at, documentSpaces);
      }
    } catch (thrown) {
      if (!(thrown instanceof DecodeFault)) throw thrown;
      throw new BodyFault(`${reasonOf(thrown, 0, source.bodyEnd)} of the body`);
    }
  }

  /** Reads the record at `at`. What is JSON but no record is rejected alone. */
  #record(at: number): number {
    const { source } = this.#reader;
    const sink = this.#sink;
    const end = this.#reader.skipValue(at);
    const number = ++this.#number;
    if (source.bytes[at] !== byte.openBrace) {
      sink.reject(number, "a record must be a JSON object", at, end);
      return end;
    }
    sink.begin();
    try {
      this.#records.read(at);
      sink.accept(number, at, end);
    } catch (thrown) {
      if (!(thrown instanceof DecodeFault)) throw thrown;
      sink.reject(number, reasonOf(thrown, at, end), at, end);
    }
    return end;
  }
}
