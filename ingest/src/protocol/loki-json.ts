import { BodyFault, DecodeFault } from "./fault.ts";
import type { FieldWriter } from "./fields.ts";
import { reasonOf } from "./json-lines.ts";
import type { JsonReader } from "./json-reader.ts";
import { byte, documentSpaces, isDigit } from "./json-scan.ts";
import type { RecordSink } from "./sink.ts";
import { TimeReader } from "./times.ts";

/**
 * Loki's push in JSON: streams with labels and entries `["<ns>", "line", {metadata}]`. Labels and metadata
 * become fields, the labels the stream. As with Loki, a body that is not of this shape fails as a whole;
 * an entry that is, but cannot be stored, is rejected alone.
 */
export class LokiJson {
  readonly #reader: JsonReader;
  readonly #fields: FieldWriter;
  readonly #sink: RecordSink;
  readonly #times = new TimeReader();
  #number = 0;

  constructor(reader: JsonReader, fields: FieldWriter, sink: RecordSink) {
    this.#reader = reader;
    this.#fields = fields;
    this.#sink = sink;
  }

  /** Throws `BodyFault`. */
  decode(): void {
    const reader = this.#reader;
    const { source } = reader;
    if (!source.isUtf8(0, source.bodyEnd)) throw new BodyFault("the body is not valid UTF-8");
    this.#number = 0;
    this.#fields.release(0);
    reader.at = 0;
    reader.spaces = documentSpaces;
    try {
      reader.object(() => {
        if (reader.name === "streams") reader.array(() => this.#stream());
        else reader.at = reader.skipValue(reader.at);
      });
      reader.peek();
      if (reader.at < source.bodyEnd)
        throw reader.fault.set("something follows the object", reader.at);
    } catch (thrown) {
      if (!(thrown instanceof DecodeFault)) throw thrown;
      throw new BodyFault(`${reasonOf(thrown, 0, source.bodyEnd)} of the body`);
    }
  }

  #stream(): void {
    const reader = this.#reader;
    const mark = this.#sink.pin();
    const places = reader.members();
    const after = reader.at;
    const labelsAt = places.get("stream");
    const valuesAt = places.get("values");
    if (labelsAt !== undefined) this.#labels(labelsAt);
    this.#sink.pin();
    if (valuesAt !== undefined) {
      reader.at = valuesAt;
      reader.array(() => this.#entry());
    }
    reader.at = after;
    this.#fields.release(0);
    this.#sink.setLabels(undefined);
    this.#sink.unpin(mark);
  }

  #labels(at: number): void {
    const reader = this.#reader;
    const labels: [string, string][] = [];
    this.#fields.toHeld();
    reader.at = at;
    reader.object(() => {
      const name = { start: reader.nameStart, end: reader.nameEnd };
      this.#text("a label's value");
      labels.push([
        reader.source.textOf(name.start, name.end),
        reader.source.textOf(reader.start, reader.end),
      ]);
      this.#fields.put(name, reader.start, reader.end, true);
    });
    this.#fields.toRecord();
    this.#sink.setLabels(labels);
  }

  #entry(): void {
    const reader = this.#reader;
    const sink = this.#sink;
    const start = reader.at;
    const number = ++this.#number;
    sink.begin();
    try {
      reader.expect(byte.openBracket);
      const fault = this.#time();
      reader.expect(byte.comma);
      this.#text("a line");
      const msgStart = reader.start;
      const msgEnd = reader.end;
      this.#fields.putHeld();
      if (reader.peek() === byte.comma) this.#metadata();
      sink.record.put(sink.msgId, msgStart, msgEnd);
      reader.expect(byte.closeBracket);
      if (fault === undefined) sink.accept(number, start, reader.at);
      else sink.reject(number, fault, start, reader.at);
    } catch (thrown) {
      if (!(thrown instanceof DecodeFault && thrown.isOfRecord)) throw thrown;
      const { reason } = thrown;
      reader.at = reader.skipValue(start);
      sink.reject(number, reason, start, reader.at);
    }
  }

  /** Reads the entry's time into the record; returns why it cannot be stored. */
  #time(): string | undefined {
    const reader = this.#reader;
    const { record } = this.#sink;
    if (reader.peek() !== byte.quote) {
      const isNumber = isDigit(reader.source.bytes[reader.at] as number);
      const what = isNumber ? "a timestamp must be a string, not a number" : "expected a timestamp";
      throw reader.fault.set(what, reader.at);
    }
    const at = reader.at;
    reader.at = reader.string(at);
    const { bytes } = reader.source;
    const fault = this.#times.readNanoseconds(bytes, reader.start, reader.end);
    if (fault === "the time cannot be read") {
      throw reader.fault.set("a timestamp must be nanoseconds since 1970", at);
    }
    record.timeMs = this.#times.ms;
    record.timeNs = this.#times.ns;
    return fault;
  }

  #metadata(): void {
    const reader = this.#reader;
    reader.at++;
    if (reader.peek() !== byte.openBrace) {
      throw reader.unexpected(reader.at, "an object of structured metadata");
    }
    reader.object(() => {
      const name = { start: reader.nameStart, end: reader.nameEnd };
      this.#text("the value of structured metadata");
      this.#fields.put(name, reader.start, reader.end, true);
    });
  }

  #text(what: string): void {
    const reader = this.#reader;
    if (reader.peek() !== byte.quote) {
      throw reader.fault.set(`${what} must be a string`, reader.at);
    }
    reader.at = reader.string(reader.at);
  }
}
