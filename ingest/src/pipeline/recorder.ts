import type { FieldNames } from "../../../storage/src/format/field-names.ts";
import type { DecodeOptions, RecordError } from "../job.ts";
import {
  errorsReportedMax,
  type IngestLimits,
  ingestLimitsDefault,
  recordMaxBytes,
  recordOverheadBytes,
  recordStoredMaxBytes,
  rejectedMax,
  storedFreeBytes,
  storedRatioMax,
  streamFieldsMax,
} from "../limits.ts";
import { BodyFault } from "../protocol/fault.ts";
import type { LineShape } from "../protocol/line-shapes.ts";
import type { RecordFields } from "../protocol/record.ts";
import type { OwnField, RecordSink } from "../protocol/sink.ts";
import type { SourceBytes } from "../protocol/source-bytes.ts";
import { TimeReader } from "../protocol/times.ts";
import type { StreamEntry, StreamTable } from "../routing/stream-table.ts";
import { FieldRoles, role } from "./field-roles.ts";
import { type LinePlan, LinePlans } from "./line-plan.ts";

/** Where accepted and rejected records of a request go. */
export interface RecordOutput {
  accepted(entry: StreamEntry, record: RecordFields, storedBytes: number): void;
  rejected(line: number, reason: string, rawStart: number, rawEnd: number): void;
}

export interface RecorderRequest {
  readonly options: DecodeOptions;
  readonly streamFields: readonly string[];
  readonly streams: StreamTable;
  readonly receivedMs: number;
  readonly output: RecordOutput;
}

/**
 * What every record passes, whatever protocol brought it: fields that the request adds, the overflow, time,
 * message and stream by their fields, and the limits. Counts what comes out.
 */
export class Recorder implements RecordSink {
  readonly record: RecordFields;
  acceptedCount = 0;
  rejectedCount = 0;
  errors: RecordError[] = [];

  readonly #source: SourceBytes;
  readonly #names: FieldNames;
  readonly #roles: FieldRoles;
  readonly #recordMaxBytes: number;
  readonly #inflatedMaxBytes: number;
  #requestMaxBytes = 0;
  readonly #times = new TimeReader();
  readonly #plans = new LinePlans();
  readonly #streamStarts = new Uint32Array(streamFieldsMax);
  readonly #streamEnds = new Uint32Array(streamFieldsMax);
  #request!: RecorderRequest;
  #msgId = -1;
  #overflowId = -1;
  /** Added to each record: what the protocol does, then what the request does, the later over the earlier. */
  #extra: readonly OwnField[] = [];
  #requestExtra: readonly OwnField[] = [];
  #labelled: StreamEntry | undefined;
  /** Where scratch begins for a record; what lies before it stays. */
  #scratchStart = 0;
  #storedBytes = 0;
  #timeSlot = -1;
  #msgSlot = -1;
  #hasReserved = false;

  constructor(
    source: SourceBytes,
    record: RecordFields,
    names: FieldNames,
    limits: IngestLimits = ingestLimitsDefault,
  ) {
    this.#recordMaxBytes = Math.min(limits.recordMaxBytes, recordMaxBytes);
    this.#inflatedMaxBytes = limits.inflatedMaxBytes;
    this.#source = source;
    this.record = record;
    this.#names = names;
    this.#roles = new FieldRoles(names);
    record.setNeeded(this.#roles.bits);
  }

  get msgId(): number {
    return this.#msgId;
  }

  idOf(name: string): number {
    return this.#names.idOfText(name);
  }

  /** Begins a request whose body the source holds. */
  open(request: RecorderRequest): void {
    this.#request = request;
    this.acceptedCount = 0;
    this.rejectedCount = 0;
    this.errors = [];
    this.#storedBytes = 0;
    this.#requestMaxBytes = Math.min(
      2 * this.#inflatedMaxBytes,
      storedFreeBytes + storedRatioMax * this.#source.bodyEnd,
    );
    this.#labelled = undefined;
    const { options, streamFields } = request;
    this.#msgId = this.#names.idOfText("_msg");
    this.#overflowId = this.#names.idOfText("_overflow");
    this.#roles.set({
      timeFields: options.timeFields,
      msgFields: options.msgFields,
      streamFields,
    });
    this.#requestExtra = options.extra.map(([name, value]) => {
      const start = this.#source.putText(value);
      return { nameId: this.#names.idOfText(name), start, end: this.#source.scratch };
    });
    this.setOwn(undefined);
    this.pin();
  }

  setOwn(field: OwnField | undefined): void {
    const { options, streamFields } = this.#request;
    this.#extra = field === undefined ? this.#requestExtra : [field, ...this.#requestExtra];
    const addedIds = this.#extra.map(({ nameId }) => nameId);
    const { timeFields, msgFields } = options;
    this.#plans.open(JSON.stringify([timeFields, msgFields, streamFields, addedIds]), {
      roles: this.#roles,
      msgId: this.#msgId,
      streamFieldCount: streamFields.length,
      addedIds,
    });
  }

  /** Ends the request. */
  close(): void {
    this.#roles.clear();
  }

  /** Keeps what was composed so far for the records to come; returns a mark for `unpin`. */
  pin(): number {
    const before = this.#scratchStart;
    this.#scratchStart = this.#source.scratch;
    return before;
  }

  /** Gives back what was pinned since the mark. */
  unpin(mark: number): void {
    this.#scratchStart = mark;
    this.#source.scratch = mark;
  }

  setLabels(labels: readonly (readonly [string, string])[] | undefined): void {
    const isAsked = this.#request.options.streamFields !== undefined;
    const { streams } = this.#request;
    this.#labelled = labels === undefined || isAsked ? undefined : streams.entryOfPairs(labels);
  }

  begin(): void {
    this.record.begin();
    this.#source.scratch = this.#scratchStart;
  }

  accept(line: number, rawStart: number, rawEnd: number): string | undefined {
    const reason = this.tooLong(rawEnd - rawStart) ?? this.#finish();
    return this.#counted(reason, line, rawStart, rawEnd);
  }

  acceptLine(
    shape: LineShape,
    valueBytes: number,
    line: number,
    rawStart: number,
    rawEnd: number,
  ): string | undefined {
    const plan = this.#plans.of(shape);
    if (this.#labelled !== undefined || !this.#isAsPlanned(plan)) {
      this.record.setNames(shape.nameIds);
      return this.accept(line, rawStart, rawEnd);
    }
    const reason = this.tooLong(rawEnd - rawStart) ?? this.#finishAsPlanned(plan, valueBytes);
    return this.#counted(reason, line, rawStart, rawEnd);
  }

  #counted(
    reason: string | undefined,
    line: number,
    rawStart: number,
    rawEnd: number,
  ): string | undefined {
    if (reason === undefined) this.acceptedCount++;
    else this.reject(line, reason, rawStart, rawEnd);
    return reason;
  }

  reject(line: number, reason: string, rawStart: number, rawEnd: number): void {
    this.rejectedCount++;
    if (this.errors.length < errorsReportedMax) this.errors.push({ line, reason });
    if (this.rejectedCount > rejectedMax) {
      throw new BodyFault(`more than ${rejectedMax} records cannot be read: ${reason}`, line);
    }
    this.#request.output.rejected(line, reason, rawStart, rawEnd);
  }

  tooLong(rawBytes: number): string | undefined {
    if (rawBytes <= this.#recordMaxBytes) return undefined;
    return `the record is longer than ${this.#recordMaxBytes} bytes`;
  }

  /** Gives the record its time, message and stream and hands it on; or says why not. */
  #finish(): string | undefined {
    const { record } = this;
    for (const { nameId, start, end } of this.#extra) record.putOwn(nameId, start, end);
    if (record.hasOverflow) {
      const start = record.composeOverflow();
      record.putOwn(this.#overflowId, start, this.#source.scratch);
    }
    const valueBytes = this.#arrange();
    if (valueBytes > recordStoredMaxBytes) {
      return `the record is longer than ${recordStoredMaxBytes} bytes when decoded`;
    }
    const fault = this.#setTime();
    if (fault !== undefined) return fault;
    this.#handOn(valueBytes);
    return undefined;
  }

  #handOn(valueBytes: number): void {
    this.#storedBytes += valueBytes + recordOverheadBytes;
    if (this.#storedBytes > this.#requestMaxBytes) {
      const what = "the records of the request need too much memory";
      throw new BodyFault(what, undefined, "too-large");
    }
    const { streams, output } = this.#request;
    const { bytes, view } = this.#source;
    const entry =
      this.#labelled ?? streams.entryOf(bytes, view, this.#streamStarts, this.#streamEnds);
    output.accepted(entry, this.record, valueBytes);
  }

  /** False where a field is empty that another would stand in for. */
  #isAsPlanned({ timeSlot, msgSlot }: LinePlan): boolean {
    const { starts, ends } = this.record;
    return (
      (timeSlot < 0 || starts[timeSlot] !== ends[timeSlot]) &&
      (msgSlot < 0 || starts[msgSlot] !== ends[msgSlot])
    );
  }

  /** As `#finish`, for a record each of whose names is known to mean what it means. */
  #finishAsPlanned(plan: LinePlan, lineBytes: number): string | undefined {
    const { record } = this;
    const { starts, ends } = record;
    record.nameIds = plan.nameIds;
    record.count = plan.nameIds.length;
    const valueBytes = this.#extra.length === 0 ? lineBytes : this.#add(plan, lineBytes);
    if (valueBytes > recordStoredMaxBytes) {
      return `the record is longer than ${recordStoredMaxBytes} bytes when decoded`;
    }
    const { streamSlots, timeSlot } = plan;
    for (let i = 0; i < streamSlots.length; i++) {
      const slot = streamSlots[i] as number;
      this.#streamStarts[i] = slot < 0 ? 0 : (starts[slot] as number);
      this.#streamEnds[i] = slot < 0 ? 0 : (ends[slot] as number);
    }
    if (timeSlot < 0) {
      record.timeMs = this.#request.receivedMs;
    } else {
      const fault = this.#readTime(starts[timeSlot] as number, ends[timeSlot] as number);
      if (fault !== undefined) return fault;
      // An empty field is none.
      ends[timeSlot] = starts[timeSlot] as number;
    }
    this.#handOn(valueBytes);
    return undefined;
  }

  /** Puts the added fields into their slots; returns the bytes of all values. */
  #add({ shape, addedSlots }: LinePlan, lineBytes: number): number {
    const { starts, ends } = this.record;
    let valueBytes = lineBytes;
    for (const [i, { start, end }] of this.#extra.entries()) {
      const slot = addedSlots[i] as number;
      const isOfLine = slot < shape.nameIds.length;
      if (isOfLine) valueBytes -= (ends[slot] as number) - (starts[slot] as number);
      starts[slot] = start;
      ends[slot] = end;
      valueBytes += end - start;
    }
    return valueBytes;
  }

  #readTime(start: number, end: number): string | undefined {
    const { bytes, view } = this.#source;
    const times = this.#times;
    if (!times.readAlike(view, start, end)) {
      const fault = times.read(bytes, start, end);
      if (fault !== undefined) return `${fault}: ${JSON.stringify(this.#excerpt(start, end))}`;
      times.keepMinute(view, start, end);
    }
    this.record.timeMs = times.ms;
    this.record.timeNs = times.ns;
    return undefined;
  }

  /** Drops empty fields, takes the time out, renames the message, notes the stream's values; sums the bytes. */
  #arrange(): number {
    const { record } = this;
    const { nameIds, starts, ends } = record;
    const { bits } = this.#roles;
    this.#timeSlot = -1;
    this.#msgSlot = -1;
    this.#hasReserved = false;
    this.#streamEnds.fill(0, 0, this.#request.streamFields.length);
    this.#streamStarts.fill(0, 0, this.#request.streamFields.length);
    let kept = 0;
    let valueBytes = 0;
    for (let slot = 0; slot < record.count; slot++) {
      const start = starts[slot] as number;
      const end = ends[slot] as number;
      if (start === end) continue;
      const nameId = nameIds[slot] as number;
      nameIds[kept] = nameId;
      starts[kept] = start;
      ends[kept] = end;
      if (bits[nameId] !== 0) this.#note(nameId, kept);
      kept++;
      valueBytes += end - start;
    }
    record.count = kept;
    if (this.#msgSlot >= 0) this.#renameMessage();
    return valueBytes;
  }

  #note(nameId: number, slot: number): void {
    const { record } = this;
    const { rank, streamIndex, bits } = this.#roles;
    const bit = bits[nameId] as number;
    if ((bit & role.reserved) !== 0) this.#hasReserved = true;
    if ((bit & role.stream) !== 0) {
      const index = streamIndex[nameId] as number;
      this.#streamStarts[index] = record.starts[slot] as number;
      this.#streamEnds[index] = record.ends[slot] as number;
    }
    const wasTime = this.#timeSlot;
    if ((bit & role.time) !== 0) {
      const isBest =
        wasTime < 0 ||
        (rank[nameId] as number) < (rank[record.nameIds[wasTime] as number] as number);
      if (isBest) this.#timeSlot = slot;
    }
    const wasMsg = this.#msgSlot;
    if ((bit & role.message) !== 0) {
      const isBest =
        wasMsg < 0 || (rank[nameId] as number) < (rank[record.nameIds[wasMsg] as number] as number);
      if (isBest) this.#msgSlot = slot;
    }
  }

  /** The best message field becomes `_msg`; a `_msg` that lost is kept under another name. */
  #renameMessage(): void {
    const { record } = this;
    if (record.nameIds[this.#msgSlot] === this.#msgId) return;
    for (let slot = 0; slot < record.count; slot++) {
      if (record.nameIds[slot] === this.#msgId) {
        record.nameIds[slot] = this.#roles.storedId(this.#msgId);
      }
    }
    record.nameIds[this.#msgSlot] = this.#msgId;
  }

  /** Reads the time and takes its field out; names that Logkeep has itself are replaced. */
  #setTime(): string | undefined {
    const { record } = this;
    const slot = this.#timeSlot;
    if (slot >= 0) {
      const start = record.starts[slot] as number;
      const end = record.ends[slot] as number;
      const fault = this.#readTime(start, end);
      if (fault !== undefined) return fault;
      this.#remove(slot);
    } else if (Number.isNaN(record.timeMs)) {
      record.timeMs = this.#request.receivedMs;
    }
    if (this.#hasReserved) this.#renameReserved();
    return undefined;
  }

  #renameReserved(): void {
    const { nameIds, count } = this.record;
    const { bits } = this.#roles;
    for (let slot = 0; slot < count; slot++) {
      const nameId = nameIds[slot] as number;
      if (((bits[nameId] as number) & role.reserved) !== 0) {
        nameIds[slot] = this.#roles.storedId(nameId);
      }
    }
  }

  /** The order of fields is kept: people read records in it. */
  #remove(slot: number): void {
    const { nameIds, starts, ends } = this.record;
    const last = --this.record.count;
    for (let to = slot; to < last; to++) {
      nameIds[to] = nameIds[to + 1] as number;
      starts[to] = starts[to + 1] as number;
      ends[to] = ends[to + 1] as number;
    }
  }

  #excerpt(start: number, end: number): string {
    return this.#source.textOf(start, Math.min(end, start + 64));
  }
}
