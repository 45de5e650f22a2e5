import type { MessageFrames } from "../job.ts";
import { DecodeFault } from "./fault.ts";
import { reasonOf } from "./json-lines.ts";
import type { JsonReader } from "./json-reader.ts";
import type { JsonRecords } from "./json-record.ts";
import { byte, documentSpaces, skipSpace } from "./json-scan.ts";
import type { RecordSink } from "./sink.ts";
import { validSlice } from "./text.ts";

/**
 * Messages whose ends are known: each is one record, whatever stands in it, and has a time of its own for when its
 * fields have none. Between two lies a zero byte, at which every scan ends. An empty one is no record.
 */
export class Messages {
  readonly #reader: JsonReader;
  readonly #records: JsonRecords;
  readonly #sink: RecordSink;

  constructor(reader: JsonReader, records: JsonRecords, sink: RecordSink) {
    this.#reader = reader;
    this.#records = records;
    this.#sink = sink;
  }

  /** `text`: the message is the record's `_msg`; `json`: it is an object. */
  decode({ ends, timesMs }: MessageFrames, form: "json" | "text"): void {
    const { source } = this.#reader;
    this.#reader.spaces = documentSpaces;
    const isUtf8 = source.isUtf8(0, source.bodyEnd);
    let start = 0;
    for (let at = 0; at < ends.length; at++) {
      const end = ends[at] as number;
      if (end > start) this.#take(form, at, start, end, timesMs[at] as number, isUtf8);
      start = end + 1;
    }
  }

  #take(
    form: "json" | "text",
    at: number,
    start: number,
    end: number,
    timeMs: number,
    isUtf8: boolean,
  ): void {
    const sink = this.#sink;
    const number = at + 1;
    sink.begin();
    sink.record.timeMs = timeMs;
    const tooLong = sink.tooLong(end - start);
    if (tooLong !== undefined) {
      sink.reject(number, tooLong, start, end);
      return;
    }
    try {
      if (form === "text") this.#readText(start, end, isUtf8);
      else this.#readObject(start, end, isUtf8);
      sink.accept(number, start, end);
    } catch (thrown) {
      if (!(thrown instanceof DecodeFault)) throw thrown;
      sink.reject(number, reasonOf(thrown, start, end), start, end);
    }
  }

  #readText(start: number, end: number, isUtf8: boolean): void {
    const { record, msgId } = this.#sink;
    const value = isUtf8 ? { start, end } : validSlice(this.#reader.source, start, end);
    record.put(msgId, value.start, value.end);
  }

  #readObject(start: number, end: number, isUtf8: boolean): void {
    const { source, fault } = this.#reader;
    const { bytes } = source;
    if (!isUtf8 && !source.isUtf8(start, end)) {
      throw fault.set("the record is not valid UTF-8", start);
    }
    let at = skipSpace(bytes, start, documentSpaces);
    if (bytes[at] !== byte.openBrace) {
      this.#reader.skipValue(at);
      throw fault.set("a record must be a JSON object", at);
    }
    at = skipSpace(bytes, this.#records.read(at), documentSpaces);
    if (at < end) throw fault.set("something follows the object", at);
  }
}
