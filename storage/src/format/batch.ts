import { crc32 } from "node:zlib";
import type { Block, Bounds, Codes, Column, Streams, Times } from "../../../kit/src/block.ts";
import type { Moment } from "../../../kit/src/time.ts";
import {
  at,
  batchMagic,
  columnEntry,
  columnEntryBytes,
  columnKind,
  flagInternal,
  flagWideStreams,
  headerBytes,
} from "./batch-layout.ts";
import { PlainColumn, SparseColumn } from "./columns.ts";
import { checkStored, damaged } from "./damage.ts";
import { batchBytesMax, batchRowsMax, columnsMax } from "./limits.ts";
import { streamLabels } from "./stream-labels.ts";

/** What the header of a batch says. */
export interface BatchHeader {
  readonly byteLength: number;
  readonly rowCount: number;
  readonly tenant: string;
  readonly retentionClass: string;
  readonly internal: boolean;
  /** When the records arrived, milliseconds since the epoch. */
  readonly receiptMs: number;
  readonly timeMin: Moment;
  readonly timeMax: Moment;
}

/** A block over the bytes of a batch, which it reads in place: they must stay while it is in use. */
export interface Batch extends Block {
  readonly header: BatchHeader;
  /** Of its log entry, and so of all its rows. */
  readonly position: number;
}

/** Reads a batch's header alone; `storage.damaged` when there is none. */
export function readBatchHeader(bytes: Uint8Array, offset: number, length: number): BatchHeader {
  return headerOf(viewOf(bytes, offset, length));
}

/**
 * Opens the batch at `offset`, 8-aligned in memory (else it is copied), which may be shared memory. All
 * its rows have the position of their log entry. Throws `storage.damaged` when a bound does not hold;
 * the checksum is left to `verifyBatch`.
 */
export function openBatch(
  bytes: Uint8Array,
  offset: number,
  length: number,
  position: number,
): Batch {
  const view = viewOf(bytes, offset, length);
  const whole = view.byteOffset % 8 === 0 ? view : alignedCopy(view);
  return new BatchBlock(whole, headerOf(whole), position);
}

/** Throws `storage.damaged` unless the batch is what was written. */
export function verifyBatch(bytes: Uint8Array, offset: number, length: number): void {
  const view = viewOf(bytes, offset, length);
  const { byteLength } = headerOf(view);
  const crc = crc32(view.subarray(at.flags, byteLength));
  checkStored(crc === view.readUInt32LE(at.crc), "a batch does not match its checksum");
}

class BatchBlock implements Batch {
  readonly header: BatchHeader;
  readonly rowCount: number;
  readonly byteSize: number;
  readonly timeMin: Moment;
  readonly timeMax: Moment;
  readonly position: number;
  readonly #bytes: Buffer;
  readonly #columnAt: ReadonlyMap<string, number>;
  readonly #columns = new Map<string, Column>();
  #fieldNames: readonly string[] | undefined;
  #times: Times | undefined;
  #streams: Streams | undefined;
  #positions: Float64Array | undefined;

  constructor(bytes: Buffer, header: BatchHeader, position: number) {
    this.header = header;
    this.rowCount = header.rowCount;
    this.byteSize = header.byteLength;
    this.timeMin = header.timeMin;
    this.timeMax = header.timeMax;
    this.#bytes = bytes;
    this.position = position;
    this.#columnAt = readDirectory(bytes);
  }

  get fieldNames(): readonly string[] {
    this.#fieldNames ??= [...this.#columnAt.keys()];
    return this.#fieldNames;
  }

  times(): Times {
    this.#times ??= readTimes(this.#bytes, this.rowCount);
    return this.#times;
  }

  streams(): Streams {
    this.#streams ??= readStreams(this.#bytes, this.rowCount);
    return this.#streams;
  }

  positions(): Float64Array {
    this.#positions ??= new Float64Array(this.rowCount).fill(this.position);
    return this.#positions;
  }

  column(field: string): Column | undefined {
    const known = this.#columns.get(field);
    if (known !== undefined) return known;
    const entryAt = this.#columnAt.get(field);
    if (entryAt === undefined) return undefined;
    const column = readColumn(this.#bytes, entryAt, this.rowCount);
    this.#columns.set(field, column);
    return column;
  }

  mayContain(field: string, tokens: readonly string[]): boolean {
    return tokens.length === 0 || this.#columnAt.has(field);
  }

  bounds(_field: string): Bounds | undefined {
    return undefined;
  }

  valueCounts(_field: string): undefined {
    return undefined;
  }
}

function viewOf(bytes: Uint8Array, offset: number, length: number): Buffer {
  const isInside = offset >= 0 && length >= 0 && offset + length <= bytes.length;
  checkStored(isInside, "a batch lies beyond its bytes", { offset, length });
  return Buffer.from(bytes.buffer, bytes.byteOffset + offset, length);
}

function alignedCopy(view: Buffer): Buffer {
  const copy = Buffer.from(new ArrayBuffer(view.length));
  copy.set(view);
  return copy;
}

function headerOf(view: Buffer): BatchHeader {
  const length = view.length;
  checkStored(length >= headerBytes, "a batch is shorter than its header", { length });
  checkStored(view.readUInt32LE(at.magic) === batchMagic, "this is not a batch of version 1");
  const byteLength = view.readUInt32LE(at.byteLength);
  const fits = byteLength <= length && byteLength >= headerBytes && byteLength <= batchBytesMax;
  checkStored(fits && byteLength % 8 === 0, "a batch's length is wrong", { byteLength, length });
  const rowCount = view.readUInt32LE(at.rowCount);
  checkStored(rowCount > 0 && rowCount <= batchRowsMax, "a batch's row count is wrong", {
    rowCount,
  });
  const namesAt = view.readUInt32LE(at.namesAt);
  const namesLength = view.readUInt32LE(at.namesLength);
  const tenantLength = view.readUInt32LE(at.tenantLength);
  const classLength = view.readUInt32LE(at.classLength);
  const namesFit = namesAt + namesLength <= byteLength && tenantLength + classLength <= namesLength;
  checkStored(namesFit, "a batch's names lie beyond its end");
  const classAt = namesAt + tenantLength;
  return {
    byteLength,
    rowCount,
    tenant: view.toString("utf8", namesAt, classAt),
    retentionClass: view.toString("utf8", classAt, classAt + classLength),
    internal: (view.readUInt32LE(at.flags) & flagInternal) !== 0,
    receiptMs: view.readDoubleLE(at.receiptMs),
    timeMin: { ms: view.readDoubleLE(at.timeMinMs), ns: view.readUInt32LE(at.timeMinNs) },
    timeMax: { ms: view.readDoubleLE(at.timeMaxMs), ns: view.readUInt32LE(at.timeMaxNs) },
  };
}

/** Where each field's directory entry lies. */
function readDirectory(bytes: Buffer): ReadonlyMap<string, number> {
  const count = bytes.readUInt32LE(at.columnCount);
  const directoryAt = bytes.readUInt32LE(at.directoryAt);
  const namesAt = bytes.readUInt32LE(at.namesAt);
  const namesLength = bytes.readUInt32LE(at.namesLength);
  const fits = count <= columnsMax && directoryAt + count * columnEntryBytes <= bytes.length;
  checkStored(fits, "a batch's directory lies beyond its end", { count });
  const entries = new Map<string, number>();
  for (let i = 0; i < count; i++) {
    const entryAt = directoryAt + i * columnEntryBytes;
    const nameAt = bytes.readUInt32LE(entryAt + columnEntry.nameAt);
    const nameEnd = nameAt + bytes.readUInt32LE(entryAt + columnEntry.nameLength);
    checkStored(nameEnd <= namesLength, "a field's name lies beyond the names", { column: i });
    entries.set(bytes.toString("utf8", namesAt + nameAt, namesAt + nameEnd), entryAt);
  }
  return entries;
}

function readTimes(bytes: Buffer, rowCount: number): Times {
  const nsAt = bytes.readUInt32LE(at.nsAt);
  return {
    ms: new Float64Array(bytes.buffer, placed(bytes, headerBytes, rowCount, 8), rowCount),
    ns:
      nsAt === 0
        ? undefined
        : new Uint32Array(bytes.buffer, placed(bytes, nsAt, rowCount, 4), rowCount),
  };
}

function readStreams(bytes: Buffer, rowCount: number): Streams {
  const count = bytes.readUInt32LE(at.streamCount);
  const codesAt = bytes.readUInt32LE(at.streamCodesAt);
  const streamsAt = bytes.readUInt32LE(at.streamsAt);
  checkStored(count > 0 && count <= rowCount, "a batch's stream count is wrong", { count });
  const offsets = new Uint32Array(bytes.buffer, placed(bytes, streamsAt, count + 1, 4), count + 1);
  const texts = bytes.subarray(streamsAt + (count + 1) * 4);
  checkOffsets(offsets, texts.length, "a stream");
  const labels = [];
  for (let i = 0; i < count; i++) {
    labels.push(streamLabels(texts.toString("utf8", offsets[i], offsets[i + 1])));
  }
  if (codesAt === 0) {
    checkStored(count === 1, "a batch of many streams has no stream codes", { count });
    return { labels, codes: undefined };
  }
  const isWide = (bytes.readUInt32LE(at.flags) & flagWideStreams) !== 0;
  const codes = isWide
    ? new Uint16Array(bytes.buffer, placed(bytes, codesAt, rowCount, 2), rowCount)
    : new Uint8Array(bytes.buffer, placed(bytes, codesAt, rowCount, 1), rowCount);
  checkCodes(codes, count, "a stream");
  return { labels, codes };
}

function readColumn(bytes: Buffer, entryAt: number, rowCount: number): Column {
  const kind = bytes.readUInt32LE(entryAt + columnEntry.kind);
  const count = bytes.readUInt32LE(entryAt + columnEntry.count);
  const bytesAt = bytes.readUInt32LE(entryAt + columnEntry.bytesAt);
  const length = bytes.readUInt32LE(entryAt + columnEntry.bytesLength);
  checkStored(bytesAt + length <= bytes.length, "a column lies beyond its batch");
  const text = bytes.subarray(bytesAt, bytesAt + length);
  if (kind === columnKind.const) {
    return new PlainColumn("const", { bytes: text, offsets: Uint32Array.of(0, length) });
  }
  checkStored(count > 0 && count <= rowCount + 1, "a column's value count is wrong", { count });
  const offsetsAt = bytes.readUInt32LE(entryAt + columnEntry.offsetsAt);
  const indexAt = bytes.readUInt32LE(entryAt + columnEntry.indexAt);
  const offsets = new Uint32Array(bytes.buffer, placed(bytes, offsetsAt, count + 1, 4), count + 1);
  checkOffsets(offsets, length, "a column");
  const values = { bytes: text, offsets };
  if (kind === columnKind.rows) {
    checkStored(count === rowCount, "a column has not a value for each row", { count });
    return new PlainColumn("rows", values);
  }
  if (kind === columnKind.dict) {
    const codes = new Uint8Array(bytes.buffer, placed(bytes, indexAt, rowCount, 1), rowCount);
    checkCodes(codes, count, "a column");
    return new PlainColumn("dict", values, codes);
  }
  checkStored(kind === columnKind.sparse, "a column is of an unknown kind", { kind });
  const rows = new Uint16Array(bytes.buffer, placed(bytes, indexAt, count, 2), count);
  checkRows(rows, rowCount);
  return new SparseColumn(rows, values, rowCount);
}

function checkRows(rows: Uint16Array, rowCount: number): void {
  let before = -1;
  let inOrder = true;
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] as number;
    if (row <= before) inOrder = false;
    before = row;
  }
  checkStored(inOrder && before < rowCount, "a sparse column's rows are out of order");
}

/** Where a section lies in the memory of the batch; it must lie within the batch. */
function placed(bytes: Buffer, position: number, count: number, width: number): number {
  const fits = position % width === 0 && position + count * width <= bytes.length;
  if (!fits) throw damaged("a section lies beyond its batch", { position, count });
  return bytes.byteOffset + position;
}

function checkOffsets(offsets: Uint32Array, length: number, whose: string): void {
  let before = 0;
  let inOrder = offsets[0] === 0;
  for (let i = 1; i < offsets.length; i++) {
    const offset = offsets[i] as number;
    if (offset < before) inOrder = false;
    before = offset;
  }
  checkStored(inOrder && before <= length, `the offsets of ${whose} are wrong`);
}

function checkCodes(codes: Codes, count: number, whose: string): void {
  let codeMax = 0;
  for (let i = 0; i < codes.length; i++) {
    if ((codes[i] as number) > codeMax) codeMax = codes[i] as number;
  }
  checkStored(codeMax < count, `the codes of ${whose} are wrong`, { codeMax, count });
}
