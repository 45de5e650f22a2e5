import { nestingMax } from "../limits.ts";
import { BodyFault, DecodeFault } from "./fault.ts";
import { NumberText, type Tree } from "./fields.ts";
import { reasonOf } from "./json-lines.ts";
import type { JsonReader } from "./json-reader.ts";
import { byte, documentSpaces, isDigit, numberEnd } from "./json-scan.ts";
import type { OtlpRecord } from "./otlp-record.ts";

/** `ExportLogsServiceRequest` in JSON: lowerCamelCase names, unknown ones passed over. */
export class OtlpJson {
  readonly #reader: JsonReader;
  readonly #record: OtlpRecord;

  constructor(reader: JsonReader, record: OtlpRecord) {
    this.#reader = reader;
    this.#record = record;
  }

  /** Throws `BodyFault`. */
  decode(): void {
    const reader = this.#reader;
    const { source } = reader;
    if (!source.isUtf8(0, source.bodyEnd)) throw new BodyFault("the body is not valid UTF-8");
    this.#record.number = 0;
    this.#record.fields.release(0);
    this.#record.fields.toRecord();
    reader.at = 0;
    reader.spaces = documentSpaces;
    try {
      const places = reader.members();
      reader.peek();
      if (reader.at < source.bodyEnd)
        throw reader.fault.set("something follows the object", reader.at);
      this.#each(places.get("resourceLogs"), () => this.#resourceLogs());
    } catch (thrown) {
      if (!(thrown instanceof DecodeFault)) throw thrown;
      throw new BodyFault(`${reasonOf(thrown, 0, source.bodyEnd)} of the body`);
    }
  }

  /** Reads the array at `at`, if there is one. */
  #each(at: number | undefined, element: () => void): void {
    if (at === undefined || this.#isNull(at)) return;
    this.#reader.at = at;
    this.#reader.array(element);
  }

  #isNull(at: number): boolean {
    return this.#reader.source.bytes[at] === 0x6e;
  }

  #resourceLogs(): void {
    const reader = this.#reader;
    const { fields, sink } = this.#record;
    const mark = sink.pin();
    const places = reader.members();
    const after = reader.at;
    fields.toHeld();
    this.#attributesOf(places.get("resource"), "");
    fields.toRecord();
    this.#each(places.get("scopeLogs"), () => this.#scopeLogs());
    fields.release(0);
    sink.unpin(mark);
    reader.at = after;
  }

  #scopeLogs(): void {
    const reader = this.#reader;
    const { fields, sink } = this.#record;
    const heldMark = fields.mark;
    const mark = sink.pin();
    const places = reader.members();
    const after = reader.at;
    fields.toHeld();
    const scopeAt = places.get("scope");
    const scope = this.#attributesOf(scopeAt, "scope.attributes.");
    this.#record.scope(this.#textAt(scope.get("name")), this.#textAt(scope.get("version")));
    fields.toRecord();
    const inner = sink.pin();
    this.#each(places.get("logRecords"), () => this.#logRecord());
    sink.unpin(inner);
    fields.release(heldMark);
    sink.unpin(mark);
    reader.at = after;
  }

  /** Puts the `attributes` of the object at `at`, and returns where its members stand. */
  #attributesOf(at: number | undefined, prefix: string): ReadonlyMap<string, number> {
    if (at === undefined || this.#isNull(at)) return new Map();
    this.#reader.at = at;
    const places = this.#reader.members();
    this.#each(places.get("attributes"), () => this.#attribute(prefix));
    return places;
  }

  #logRecord(): void {
    const reader = this.#reader;
    const out = this.#record;
    const start = reader.at;
    out.begin();
    const places = reader.members();
    const end = reader.at;
    try {
      this.#logRecordFields(places);
      out.accept(start, end);
    } catch (thrown) {
      if (!(thrown instanceof DecodeFault && thrown.isOfRecord)) throw thrown;
      out.sink.reject(out.number, thrown.reason, start, end);
    }
    reader.at = end;
  }

  #logRecordFields(places: ReadonlyMap<string, number>): void {
    const out = this.#record;
    this.#time(places.get("timeUnixNano"), false);
    this.#time(places.get("observedTimeUnixNano"), true);
    this.#each(places.get("attributes"), () => this.#attribute(""));
    const bodyAt = places.get("body");
    if (bodyAt !== undefined && !this.#isNull(bodyAt)) {
      this.#reader.at = bodyAt;
      out.body(this.#anyValue(1));
    }
    const severity = Number(this.#textAt(places.get("severityNumber")));
    const severityText = this.#textAt(places.get("severityText"));
    out.severity(Number.isInteger(severity) ? severity : 0, severityText);
    this.#put("trace_id", this.#textAt(places.get("traceId")).toLowerCase());
    this.#put("span_id", this.#textAt(places.get("spanId")).toLowerCase());
    this.#put("event_name", this.#textAt(places.get("eventName")));
    out.count("flags", Number(this.#textAt(places.get("flags"))) || 0);
    const dropped = Number(this.#textAt(places.get("droppedAttributesCount"))) || 0;
    out.count("dropped_attributes_count", dropped);
  }

  #put(name: string, value: string): void {
    if (value !== "") this.#record.fields.putText(name, value);
  }

  /** A 64-bit number of nanoseconds, written as a string or a number. */
  #time(at: number | undefined, isObserved: boolean): void {
    const text = this.#textAt(at);
    if (text === "") return;
    if (!/^\d{1,20}$/.test(text)) {
      throw this.#reader.fault.set("a time must be nanoseconds since 1970", at ?? 0, true);
    }
    const nanoseconds = BigInt.asUintN(64, BigInt(text));
    const low = Number(nanoseconds & 0xffffffffn);
    this.#record.time(Number(nanoseconds >> 32n), low, isObserved);
  }

  /** The string or number at `at` as text; empty for anything else. */
  #textAt(at: number | undefined): string {
    if (at === undefined) return "";
    const reader = this.#reader;
    const { source } = reader;
    const c = source.bytes[at] as number;
    if (c === byte.quote) {
      reader.string(at);
      return source.textOf(reader.start, reader.end);
    }
    if (c !== byte.minus && !isDigit(c)) return "";
    return source.textOf(at, numberEnd(source.bytes, at));
  }

  #attribute(prefix: string): void {
    const reader = this.#reader;
    const places = reader.members();
    const after = reader.at;
    const valueAt = places.get("value");
    const name = prefix + this.#textAt(places.get("key"));
    if (valueAt !== undefined && !this.#isNull(valueAt)) {
      reader.at = valueAt;
      this.#record.fields.putTree(name, this.#anyValue(1));
    }
    reader.at = after;
  }

  /** Reads the `AnyValue` at the cursor. */
  #anyValue(depth: number): Tree {
    const reader = this.#reader;
    // A level of a value is two or three of JSON, so that this is met only by what is no value.
    if (depth > nestingMax)
      throw reader.fault.set(`more than ${nestingMax} levels deep`, reader.at);
    let tree: Tree = null;
    reader.object(() => {
      const { name, at } = reader;
      reader.at = reader.skipValue(at);
      const after = reader.at;
      if (!this.#isNull(at)) tree = this.#valueOf(name, at, depth) ?? tree;
      reader.at = after;
    });
    return tree;
  }

  #valueOf(kind: string, at: number, depth: number): Tree {
    const reader = this.#reader;
    switch (kind) {
      case "stringValue":
      case "bytesValue":
        return this.#textAt(at);
      case "boolValue":
        return reader.source.bytes[at] === 0x74;
      case "intValue":
        return new NumberText(this.#checkedInteger(at));
      case "doubleValue":
        return this.#double(at);
      case "arrayValue": {
        const list: Tree[] = [];
        reader.at = at;
        this.#each(reader.members().get("values"), () => list.push(this.#anyValue(depth + 1)));
        return list;
      }
      case "kvlistValue": {
        const map = new Map<string, Tree>();
        reader.at = at;
        this.#each(reader.members().get("values"), () => {
          const places = reader.members();
          const after = reader.at;
          const valueAt = places.get("value");
          const name = this.#textAt(places.get("key"));
          if (valueAt !== undefined && !this.#isNull(valueAt)) {
            reader.at = valueAt;
            map.set(name, this.#anyValue(depth + 1));
          }
          reader.at = after;
        });
        return map;
      }
      default:
        return null;
    }
  }

  #checkedInteger(at: number): string {
    const text = this.#textAt(at);
    if (/^-?\d{1,20}$/.test(text)) return text;
    throw this.#reader.fault.set("intValue must be an integer", at, true);
  }

  #double(at: number): Tree {
    const text = this.#textAt(at);
    const isNumber = numberEnd(Buffer.from(`${text}\0`), 0) === text.length;
    return isNumber ? new NumberText(text) : text;
  }
}
