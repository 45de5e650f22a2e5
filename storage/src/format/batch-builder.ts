import { crc32 } from "node:zlib";
import { assert } from "../../../kit/src/assert.ts";
import type { Moment } from "../../../kit/src/time.ts";
import { ColumnBuilder } from "./batch-column.ts";
import {
  at,
  batchMagic,
  columnEntry,
  columnEntryBytes,
  flagInternal,
  flagWideStreams,
  headerBytes,
} from "./batch-layout.ts";
import { type BatchPlan, type ColumnPlan, Places, planColumn, writeColumn } from "./batch-plan.ts";
import { crcJoined } from "./crc.ts";
import type { FieldNames } from "./field-names.ts";
import { batchBytesFull, batchColumnsFull, batchRowsMax, builderBytesKept } from "./limits.ts";
import { viewOf } from "./words.ts";

const noBytes = new Uint8Array(0);
const emptyView = viewOf(noBytes);

export interface BatchBuilderOptions {
  readonly tenant: string;
  /** The retention class. */
  readonly retentionClass: string;
  /** Logkeep's own records. */
  readonly internal?: boolean;
  /** What `nameIds` of `append` are ids of. */
  readonly names: FieldNames;
  /** What a stream's id given to `append` is an id of; needed only for ids. */
  readonly streamTexts?: FieldNames;
}

/**
 * Gathers records of one tenant, retention class and shard into a batch. `append` is the hot path: no
 * object is made for a record, and buffers stay allocated for the next batch. A batch is finished by
 * `encodeInto` and then `reset`; a full one takes no more records.
 */
export class BatchBuilder {
  /** The CRC-32 of all bytes that `encodeInto` wrote last. */
  encodedCrc = 0;
  readonly #options: BatchBuilderOptions;
  readonly #tenant: Buffer;
  readonly #class: Buffer;
  /** By name id; kept from batch to batch. */
  #columns: (ColumnBuilder | undefined)[] = [];
  /** Those that have a value in this batch. */
  #active: ColumnBuilder[] = [];
  #generation = -1;
  #rowCount = 0;
  #bytes = 0;
  #times = new Float64Array(64);
  #ns = new Uint32Array(64);
  #hasNs = false;
  #timeMinMs = 0;
  #timeMinNs = 0;
  #timeMaxMs = 0;
  #timeMaxNs = 0;
  #streamCodes = new Uint16Array(64);
  #streams: Buffer[] = [];
  #streamsLength = 0;
  readonly #codeOfText = new Map<string, number>();
  /** Of each stream id its code in this batch, or -1; and its text, kept from batch to batch. */
  #codeOfId = new Int32Array(0);
  #textOfId: (Buffer | undefined)[] = [];
  #textsGeneration = -1;
  /** The ids of the streams in this batch. */
  #streamIds: number[] = [];
  #plan: BatchPlan | undefined;
  /** What the last record came from, which is mostly what the next one does. */
  #source: Uint8Array | undefined;
  /** The same memory, not as a Buffer, whose `subarray` is slow. */
  #sourceBytes: Uint8Array = noBytes;
  #sourceView: DataView = emptyView;

  constructor(options: BatchBuilderOptions) {
    this.#options = options;
    this.#tenant = Buffer.from(options.tenant, "utf8");
    this.#class = Buffer.from(options.retentionClass, "utf8");
  }

  get rowCount(): number {
    return this.#rowCount;
  }

  /** Inclusive bounds of the times of the records. */
  get timeMin(): Moment {
    return { ms: this.#timeMinMs, ns: this.#timeMinNs };
  }

  get timeMax(): Moment {
    return { ms: this.#timeMaxMs, ns: this.#timeMaxNs };
  }

  /** True when the batch is to be encoded before another record is appended. */
  get isFull(): boolean {
    return (
      this.#rowCount >= batchRowsMax ||
      this.#bytes >= batchBytesFull ||
      this.#active.length >= batchColumnsFull
    );
  }

  /** Exactly what `encodeInto` will write. It costs a step for each column: ask once for a batch. */
  get byteLength(): number {
    return this.#planned().byteLength;
  }

  /**
   * Adds a record: field i is named `nameIds[i]` and its value is the UTF-8 bytes
   * `source[starts[i] … ends[i])`, copied now. Empty values are left out; of one name given twice the
   * last value counts. `stream` is a canonical text or its id in `streamTexts`, for all records of the same stream
   * in a batch the one or the other.
   */
  append(
    timeMs: number,
    timeNs: number,
    stream: string | number,
    source: Uint8Array,
    fieldCount: number,
    nameIds: Int32Array,
    starts: Uint32Array,
    ends: Uint32Array,
  ): void {
    const row = this.#rowCount;
    assert(row < batchRowsMax, "a full batch takes no more records");
    if (row === 0) this.#begin(timeMs, timeNs);
    else if (row === this.#times.length) this.#growRows();
    this.#setTime(row, timeMs, timeNs);
    this.#streamCodes[row] =
      typeof stream === "number" ? this.#streamCode(stream) : this.#streamCodeOfText(stream);
    if (source !== this.#source) this.#setSource(source);
    const view = this.#sourceView;
    const bytes = this.#sourceBytes;
    const columns = this.#columns;
    let added = 13;
    for (let i = 0; i < fieldCount; i++) {
      const start = starts[i] as number;
      const end = ends[i] as number;
      if (start === end) continue;
      const nameId = nameIds[i] as number;
      const column = columns[nameId] ?? this.#addColumn(nameId);
      if (column.entries === 0) this.#active.push(column);
      added += column.append(row, bytes, view, start, end);
    }
    this.#bytes += added;
    this.#rowCount = row + 1;
    this.#plan = undefined;
  }

  /**
   * Writes the batch at `offset`, which must be 8-aligned in the memory below `target`.
   * `receiptMs` is when the records arrived. Returns the bytes written, a multiple of 8.
   */
  encodeInto(target: Uint8Array, offset: number, receiptMs: number): number {
    const plan = this.#planned();
    assert(this.#rowCount > 0, "a batch has at least one record");
    assert((target.byteOffset + offset) % 8 === 0, "a batch begins 8-aligned");
    assert(offset + plan.byteLength <= target.length, "the batch fits its place");
    const out = Buffer.from(target.buffer, target.byteOffset + offset, plan.byteLength);
    this.#writeHeader(out, plan, receiptMs);
    this.#writeRowSections(out, plan);
    this.#writeStreams(out, plan);
    this.#writeNames(out, plan);
    for (const [i, column] of this.#active.entries()) {
      writeColumn(out, column, plan.columns[i] as ColumnPlan);
    }
    const crc = crc32(out.subarray(at.flags));
    out.writeUInt32LE(crc, at.crc);
    const headCrc = crc32(out.subarray(0, at.flags));
    this.encodedCrc = crcJoined(headCrc, crc, plan.byteLength - at.flags);
    return plan.byteLength;
  }

  /** Forgets the records, keeps the buffers. */
  reset(): void {
    let kept = 0;
    for (const column of this.#columns) {
      if (column === undefined) continue;
      kept += column.bytesKept;
      column.reset();
    }
    if (kept > builderBytesKept) this.#columns = [];
    this.#active = [];
    this.#rowCount = 0;
    this.#bytes = 0;
    this.#hasNs = false;
    this.#streams = [];
    this.#streamsLength = 0;
    this.#codeOfText.clear();
    for (const id of this.#streamIds) this.#codeOfId[id] = -1;
    this.#streamIds = [];
    this.#plan = undefined;
    this.#source = undefined;
    this.#sourceBytes = noBytes;
    this.#sourceView = emptyView;
  }

  #setSource(source: Uint8Array): void {
    this.#source = source;
    this.#sourceBytes = new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
    this.#sourceView = viewOf(source);
  }

  #begin(timeMs: number, timeNs: number): void {
    // Ids of another generation name other fields.
    const generation = this.#options.names.generation;
    if (generation !== this.#generation) this.#columns = [];
    this.#generation = generation;
    this.#timeMinMs = this.#timeMaxMs = timeMs;
    this.#timeMinNs = this.#timeMaxNs = timeNs;
  }

  #setTime(row: number, ms: number, ns: number): void {
    this.#times[row] = ms;
    this.#ns[row] = ns;
    if (ns !== 0) this.#hasNs = true;
    if (ms < this.#timeMinMs || (ms === this.#timeMinMs && ns < this.#timeMinNs)) {
      this.#timeMinMs = ms;
      this.#timeMinNs = ns;
    }
    if (ms > this.#timeMaxMs || (ms === this.#timeMaxMs && ns > this.#timeMaxNs)) {
      this.#timeMaxMs = ms;
      this.#timeMaxNs = ns;
    }
  }

  #streamCode(id: number): number {
    const code = id < this.#codeOfId.length ? (this.#codeOfId[id] as number) : -1;
    return code >= 0 ? code : this.#addStreamId(id);
  }

  #addStreamId(id: number): number {
    const { streamTexts } = this.#options;
    assert(streamTexts !== undefined, "streams are given by id only with a table of their texts");
    if (streamTexts.generation !== this.#textsGeneration) this.#textOfId = [];
    this.#textsGeneration = streamTexts.generation;
    while (this.#textOfId.length <= id) this.#textOfId.push(undefined);
    const text = this.#textOfId[id] ?? Buffer.from(streamTexts.nameOf(id), "utf8");
    this.#textOfId[id] = text;
    if (id >= this.#codeOfId.length) {
      const codes = new Int32Array(Math.max(64, 2 * id)).fill(-1);
      codes.set(this.#codeOfId);
      this.#codeOfId = codes;
    }
    this.#streamIds.push(id);
    const code = this.#addStream(text);
    this.#codeOfId[id] = code;
    return code;
  }

  #streamCodeOfText(text: string): number {
    let code = this.#codeOfText.get(text);
    if (code === undefined) {
      code = this.#addStream(Buffer.from(text, "utf8"));
      this.#codeOfText.set(text, code);
    }
    return code;
  }

  #addStream(text: Buffer): number {
    this.#streams.push(text);
    this.#streamsLength += text.length;
    this.#bytes += text.length + 4;
    return this.#streams.length - 1;
  }

  #addColumn(nameId: number): ColumnBuilder {
    // Filled without holes, so that the array stays a plain one.
    while (this.#columns.length <= nameId) this.#columns.push(undefined);
    const column = new ColumnBuilder(nameId);
    this.#columns[nameId] = column;
    return column;
  }

  #growRows(): void {
    const length = Math.min(batchRowsMax, this.#times.length * 4);
    const times = new Float64Array(length);
    times.set(this.#times);
    this.#times = times;
    const ns = new Uint32Array(length);
    ns.set(this.#ns);
    this.#ns = ns;
    const codes = new Uint16Array(length);
    codes.set(this.#streamCodes);
    this.#streamCodes = codes;
  }

  #planned(): BatchPlan {
    this.#plan ??= this.#makePlan();
    return this.#plan;
  }

  #makePlan(): BatchPlan {
    const rows = this.#rowCount;
    const names = this.#active.map((column) =>
      Buffer.from(this.#options.names.nameOf(column.nameId), "utf8"),
    );
    const place = new Places(headerBytes);
    place.take(rows * 8);
    const nsAt = this.#hasNs ? place.take(rows * 4) : 0;
    const streamWidth = this.#streams.length <= 1 ? 0 : this.#streams.length <= 256 ? 1 : 2;
    const streamCodesAt = streamWidth === 0 ? 0 : place.take(rows * streamWidth);
    const streamsAt = place.take((this.#streams.length + 1) * 4 + this.#streamsLength);
    const directoryAt = place.take(names.length * columnEntryBytes);
    const nameBytes = names.reduce((sum, name) => sum + name.length, 0);
    const namesLength = this.#tenant.length + this.#class.length + nameBytes;
    const namesAt = place.take(namesLength);
    const columns = this.#active.map((column) => planColumn(column, rows, place));
    return {
      nsAt,
      streamWidth,
      streamCodesAt,
      streamsAt,
      directoryAt,
      namesAt,
      namesLength,
      names,
      columns,
      byteLength: place.end,
    };
  }

  #writeHeader(out: Buffer, plan: BatchPlan, receiptMs: number): void {
    const internal = this.#options.internal === true ? flagInternal : 0;
    // The memory may hold an older batch; padding must not.
    out.fill(0, 0, headerBytes);
    out.writeUInt32LE(batchMagic, at.magic);
    out.writeUInt32LE(plan.byteLength, at.byteLength);
    out.writeUInt32LE(internal | (plan.streamWidth === 2 ? flagWideStreams : 0), at.flags);
    out.writeUInt32LE(this.#rowCount, at.rowCount);
    out.writeUInt32LE(this.#streams.length, at.streamCount);
    out.writeUInt32LE(plan.columns.length, at.columnCount);
    out.writeUInt32LE(this.#tenant.length, at.tenantLength);
    out.writeUInt32LE(this.#class.length, at.classLength);
    out.writeDoubleLE(receiptMs, at.receiptMs);
    out.writeDoubleLE(this.#timeMinMs, at.timeMinMs);
    out.writeDoubleLE(this.#timeMaxMs, at.timeMaxMs);
    out.writeUInt32LE(this.#timeMinNs, at.timeMinNs);
    out.writeUInt32LE(this.#timeMaxNs, at.timeMaxNs);
    out.writeUInt32LE(plan.nsAt, at.nsAt);
    out.writeUInt32LE(plan.streamCodesAt, at.streamCodesAt);
    out.writeUInt32LE(plan.streamsAt, at.streamsAt);
    out.writeUInt32LE(plan.directoryAt, at.directoryAt);
    out.writeUInt32LE(plan.namesAt, at.namesAt);
    out.writeUInt32LE(plan.namesLength, at.namesLength);
  }

  #writeRowSections(out: Buffer, plan: BatchPlan): void {
    const rows = this.#rowCount;
    const { buffer, byteOffset } = out;
    new Float64Array(buffer, byteOffset + headerBytes, rows).set(this.#times.subarray(0, rows));
    if (plan.nsAt !== 0) {
      new Uint32Array(buffer, byteOffset + plan.nsAt, rows).set(this.#ns.subarray(0, rows));
    }
    if (plan.streamWidth === 0) return;
    const codes =
      plan.streamWidth === 1
        ? new Uint8Array(buffer, byteOffset + plan.streamCodesAt, rows)
        : new Uint16Array(buffer, byteOffset + plan.streamCodesAt, rows);
    codes.set(this.#streamCodes.subarray(0, rows));
  }

  #writeStreams(out: Buffer, plan: BatchPlan): void {
    let end = 0;
    let offsetAt = plan.streamsAt;
    const textsAt = plan.streamsAt + (this.#streams.length + 1) * 4;
    out.writeUInt32LE(0, offsetAt);
    for (const text of this.#streams) {
      out.set(text, textsAt + end);
      end += text.length;
      offsetAt += 4;
      out.writeUInt32LE(end, offsetAt);
    }
  }

  #writeNames(out: Buffer, plan: BatchPlan): void {
    out.set(this.#tenant, plan.namesAt);
    out.set(this.#class, plan.namesAt + this.#tenant.length);
    let nameAt = this.#tenant.length + this.#class.length;
    for (const [i, name] of plan.names.entries()) {
      const column = plan.columns[i] as ColumnPlan;
      const entryAt = plan.directoryAt + i * columnEntryBytes;
      out.writeUInt32LE(nameAt, entryAt + columnEntry.nameAt);
      out.writeUInt32LE(name.length, entryAt + columnEntry.nameLength);
      out.writeUInt32LE(column.kind, entryAt + columnEntry.kind);
      out.writeUInt32LE(column.count, entryAt + columnEntry.count);
      out.writeUInt32LE(column.offsetsAt, entryAt + columnEntry.offsetsAt);
      out.writeUInt32LE(column.bytesAt, entryAt + columnEntry.bytesAt);
      out.writeUInt32LE(column.bytesLength, entryAt + columnEntry.bytesLength);
      out.writeUInt32LE(column.indexAt, entryAt + columnEntry.indexAt);
      out.set(name, plan.namesAt + nameAt);
      nameAt += name.length;
    }
  }
}
