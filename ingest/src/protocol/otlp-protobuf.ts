import { nestingMax, recordMaxBytes } from "../limits.ts";
import { BodyFault, DecodeFault } from "./fault.ts";
import { NumberText, type Tree } from "./fields.ts";
import type { OtlpRecord } from "./otlp-record.ts";
import { type ProtobufReader, wire } from "./protobuf-reader.ts";
import type { Slice } from "./record.ts";
import { validSlice } from "./text.ts";

/*
 * Field numbers of opentelemetry.proto.collector.logs.v1 and what it holds. Read by hand and not through a
 * schema library: values are slices of the body, never strings, and hostile nesting meets our own limits.
 */
const request = { resourceLogs: 1 } as const;
const resourceLogs = { resource: 1, scopeLogs: 2 } as const;
const resource = { attributes: 1 } as const;
const scopeLogs = { scope: 1, logRecords: 2 } as const;
const scope = { name: 1, version: 2, attributes: 3 } as const;
const logRecord = {
  timeUnixNano: 1,
  severityNumber: 2,
  severityText: 3,
  body: 5,
  attributes: 6,
  droppedAttributesCount: 7,
  flags: 8,
  traceId: 9,
  spanId: 10,
  observedTimeUnixNano: 11,
  eventName: 12,
} as const;
const keyValue = { key: 1, value: 2 } as const;
const anyValue = { string: 1, bool: 2, int: 3, double: 4, array: 5, kvlist: 6, bytes: 7 } as const;
/** `values` of both an array and a list of pairs. */
const listValues = 1;

/** `ExportLogsServiceRequest` in protobuf. A body that is none fails as a whole. */
export class OtlpProtobuf {
  readonly #reader: ProtobufReader;
  readonly #record: OtlpRecord;

  constructor(reader: ProtobufReader, record: OtlpRecord) {
    this.#reader = reader;
    this.#record = record;
  }

  /** Throws `BodyFault`. */
  decode(): void {
    const { source } = this.#reader;
    this.#record.number = 0;
    this.#record.fields.release(0);
    this.#record.fields.toRecord();
    try {
      for (const part of this.#slices(0, source.bodyEnd, request.resourceLogs)) {
        this.#resourceLogs(part);
      }
    } catch (thrown) {
      if (!(thrown instanceof DecodeFault)) throw thrown;
      throw new BodyFault(`${thrown.reason}, at byte ${thrown.at} of the body`);
    }
  }

  /** The values of a field of messages. They are gathered first: an outer part may stand after what it is for. */
  #slices(start: number, end: number, field: number): Slice[] {
    const reader = this.#reader;
    const slices: Slice[] = [];
    reader.at = start;
    while (reader.next(end)) {
      if (reader.field === field && reader.wireType === wire.bytes) {
        slices.push({ start: reader.start, end: reader.end });
      }
    }
    return slices;
  }

  #resourceLogs({ start, end }: Slice): void {
    const { fields, sink } = this.#record;
    const mark = sink.pin();
    fields.toHeld();
    for (const part of this.#slices(start, end, resourceLogs.resource)) {
      for (const each of this.#slices(part.start, part.end, resource.attributes)) {
        this.#attribute(each, "");
      }
    }
    fields.toRecord();
    for (const part of this.#slices(start, end, resourceLogs.scopeLogs)) this.#scopeLogs(part);
    fields.release(0);
    sink.unpin(mark);
  }

  #scopeLogs({ start, end }: Slice): void {
    const { fields, sink } = this.#record;
    const heldMark = fields.mark;
    const mark = sink.pin();
    fields.toHeld();
    for (const part of this.#slices(start, end, scopeLogs.scope)) this.#scope(part);
    fields.toRecord();
    const inner = sink.pin();
    const reader = this.#reader;
    reader.at = start;
    while (reader.next(end)) {
      if (reader.field !== scopeLogs.logRecords || reader.wireType !== wire.bytes) continue;
      const after = reader.at;
      this.#logRecord(reader.start, reader.end);
      reader.at = after;
    }
    sink.unpin(inner);
    fields.release(heldMark);
    sink.unpin(mark);
  }

  #scope({ start, end }: Slice): void {
    const reader = this.#reader;
    let name = "";
    let version = "";
    reader.at = start;
    while (reader.next(end)) {
      if (reader.wireType !== wire.bytes) continue;
      const { at } = reader;
      if (reader.field === scope.name) name = this.#text();
      if (reader.field === scope.version) version = this.#text();
      if (reader.field === scope.attributes) this.#attribute(reader, "scope.attributes.");
      reader.at = at;
    }
    this.#record.scope(name, version);
  }

  #logRecord(start: number, end: number): void {
    const out = this.#record;
    out.begin();
    try {
      if (end - start > recordMaxBytes) {
        throw this.#reader.fault.set(
          `the record is longer than ${recordMaxBytes} bytes`,
          start,
          true,
        );
      }
      this.#logRecordFields(start, end);
      out.accept(start, end);
    } catch (thrown) {
      if (!(thrown instanceof DecodeFault && thrown.isOfRecord)) throw thrown;
      out.sink.reject(out.number, thrown.reason, start, end);
    }
  }

  #logRecordFields(start: number, end: number): void {
    const reader = this.#reader;
    const out = this.#record;
    let severityNumber = 0;
    let severityText = "";
    reader.at = start;
    while (reader.next(end)) {
      const { at, field } = reader;
      if (reader.wireType === wire.bytes) {
        if (field === logRecord.body) this.#body(reader.start, reader.end);
        else if (field === logRecord.attributes) this.#attribute(reader, "");
        else if (field === logRecord.severityText) severityText = this.#text();
        else if (field === logRecord.eventName) this.#named("event_name", reader.start, reader.end);
        else if (field === logRecord.traceId) this.#id("trace_id");
        else if (field === logRecord.spanId) this.#id("span_id");
      } else if (field === logRecord.timeUnixNano) {
        out.time(reader.high, reader.low, false);
      } else if (field === logRecord.observedTimeUnixNano) {
        out.time(reader.high, reader.low, true);
      } else if (field === logRecord.severityNumber) {
        severityNumber = reader.low;
      } else if (field === logRecord.droppedAttributesCount) {
        out.count("dropped_attributes_count", reader.low);
      } else if (field === logRecord.flags) {
        out.count("flags", reader.low);
      }
      reader.at = at;
    }
    out.severity(severityNumber, severityText);
  }

  #id(name: string): void {
    const { start, end } = this.#reader;
    if (end > start) this.#record.fields.putText(name, this.#record.hex(start, end));
  }

  #body(start: number, end: number): void {
    const value = this.#soleString(start, end);
    if (value === undefined) this.#record.body(this.#tree(start, end, 1));
    else this.#record.message(value.start, value.end);
  }

  #attribute({ start, end }: Slice, prefix: string): void {
    const reader = this.#reader;
    const { fields } = this.#record;
    let name: Slice = { start, end: start };
    let value: Slice | undefined;
    reader.at = start;
    while (reader.next(end)) {
      if (reader.wireType !== wire.bytes) continue;
      if (reader.field === keyValue.key) name = validSlice(reader.source, reader.start, reader.end);
      if (reader.field === keyValue.value) value = { start: reader.start, end: reader.end };
    }
    if (value === undefined) return;
    if (prefix !== "") name = this.#prefixed(prefix, name);
    const text = this.#soleString(value.start, value.end);
    if (text !== undefined) {
      fields.put(name, text.start, text.end, true);
      return;
    }
    const tree = this.#tree(value.start, value.end, 1);
    fields.putTree(reader.source.textOf(name.start, name.end), tree);
  }

  #prefixed(prefix: string, name: Slice): Slice {
    const { source } = this.#reader;
    const start = source.putText(prefix);
    source.putSlice(name.start, name.end);
    return { start, end: source.scratch };
  }

  #named(name: string, start: number, end: number): void {
    const value = validSlice(this.#reader.source, start, end);
    const slice = this.#record.fields.nameSlice(name);
    this.#record.fields.put(slice, value.start, value.end, true);
  }

  /** The slice of an `AnyValue` that is a string, as most are. */
  #soleString(start: number, end: number): Slice | undefined {
    const reader = this.#reader;
    reader.at = start;
    if (start === end || !reader.next(end)) return undefined;
    const isString = reader.field === anyValue.string && reader.wireType === wire.bytes;
    if (!isString || reader.at !== end) return undefined;
    return validSlice(reader.source, reader.start, reader.end);
  }

  #tree(start: number, end: number, depth: number): Tree {
    const reader = this.#reader;
    if (depth > nestingMax)
      throw reader.fault.set(`more than ${nestingMax} levels deep`, start, true);
    let tree: Tree = null;
    reader.at = start;
    while (reader.next(end)) {
      const { at } = reader;
      if (reader.wireType === wire.bytes) tree = this.#treeOfBytes(depth);
      else if (reader.field === anyValue.bool) tree = reader.low !== 0;
      else if (reader.field === anyValue.int) tree = new NumberText(reader.signedText());
      else if (reader.field === anyValue.double && reader.wireType === wire.fixed64) {
        const number = reader.double();
        // What is no JSON number is kept as the text it is known by.
        tree = Number.isFinite(number) ? new NumberText(String(number)) : String(number);
      }
      reader.at = at;
    }
    return tree;
  }

  #treeOfBytes(depth: number): Tree {
    const reader = this.#reader;
    const { start, end } = reader;
    switch (reader.field) {
      case anyValue.string:
        return this.#text();
      case anyValue.bytes:
        return reader.source.bytes.toString("base64", start, end);
      case anyValue.array:
        return this.#slices(start, end, listValues).map((each) =>
          this.#tree(each.start, each.end, depth + 1),
        );
      case anyValue.kvlist:
        return new Map(
          this.#slices(start, end, listValues).map((each) => this.#pair(each, depth + 1)),
        );
      default:
        return null;
    }
  }

  #pair({ start, end }: Slice, depth: number): [string, Tree] {
    const reader = this.#reader;
    let name = "";
    let tree: Tree = null;
    reader.at = start;
    while (reader.next(end)) {
      if (reader.wireType !== wire.bytes) continue;
      const { at } = reader;
      if (reader.field === keyValue.key) name = this.#text();
      if (reader.field === keyValue.value) tree = this.#tree(reader.start, reader.end, depth);
      reader.at = at;
    }
    return [name, tree];
  }

  /** The string that `next` moved to; what is no UTF-8 in it is replaced. */
  #text(): string {
    return this.#reader.source.textOf(this.#reader.start, this.#reader.end);
  }
}
