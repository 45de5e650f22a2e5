import { crc32 } from "node:zlib";
import { assert } from "../../../kit/src/assert.ts";
import type { Moment } from "../../../kit/src/time.ts";
import { bodyBytesMax, entryAlign, headerBytesMax, nameBytesMax } from "./limits.ts";

/** What an entry is. The numbers lie on disk: never reuse one. */
export const entryKinds = {
  /** The body is a batch of records. */
  records: 1,
  /** An owner begins its epoch; no body. */
  "epoch-start": 2,
  /** A request with an `Idempotency-Key`; the body is JSON. */
  idempotency: 3,
  /** A delete by query; the body is JSON. */
  tombstone: 4,
  /** Entries of the shard that came before, with positions above this one's, are gone; no body. */
  truncate: 5,
  /** All entries of the shard that came before are gone, and its next one follows this position and epoch; no body. */
  reset: 6,
  /** The end of a log file, not an entry of a shard. */
  "file-end": 255,
} as const;

export type EntryKind = keyof typeof entryKinds;

/** The shard of what stands for lost entries in a file, and is of none. */
export const noShard = 0xffff_ffff;

/** An entry of a shard's log, or the end of what is sealed. Position 0 of epoch 0 is before the first. */
export interface LogPoint {
  readonly epoch: number;
  readonly position: number;
}

/** The range of a source that a records entry stores; see `SourceRange` of the shard. */
export interface EntrySource {
  readonly source: string;
  readonly previous: bigint;
  readonly from: bigint;
  readonly through: bigint;
}

/** An entry of a shard's log, without its body. */
export interface EntryHeader {
  readonly kind: EntryKind;
  readonly shard: number;
  readonly epoch: number;
  readonly position: number;
  readonly previousEpoch: number;
  readonly previousPosition: number;
  /** The shard's committed position when this was appended. */
  readonly committed: number;
  /** Log time: the owner's clock at the append, never going back within a shard. */
  readonly receiptMs: number;
  readonly bodyLength: number;
  /** CRC-32 of the body. */
  readonly bodyCrc: number;
  readonly rows: number;
  readonly timeMin: Moment;
  readonly timeMax: Moment;
  readonly tenant: string;
  readonly class: string;
  readonly internal: boolean;
  /** 16 bytes. */
  readonly dedupeKey?: Uint8Array | undefined;
  readonly source?: EntrySource | undefined;
}

export interface DecodedHeader {
  readonly header: EntryHeader;
  readonly headerLength: number;
  /**
   * Where the group began in which the entry was written. Everything before it in the file was
   * on disk by then, so a fault below it is damage and not a torn tail.
   */
  readonly groupOffset: number;
}

const magic = 0x3145_4b4c; // "LKE1"
export const magicBytes = Buffer.from("LKE1");
const fixedBytes = 144;
const flagDedupe = 1;
const flagSource = 2;
const flagInternal = 4;
const kindOfNumber = new Map(
  Object.entries(entryKinds).map(([name, number]) => [number as number, name as EntryKind]),
);

/** Bytes of the header as it is written. */
export function headerBytesOf(header: EntryHeader): number {
  const names =
    Buffer.byteLength(header.tenant) +
    Buffer.byteLength(header.class) +
    (header.source === undefined ? 0 : Buffer.byteLength(header.source.source));
  return align(fixedBytes + names);
}

/** Bytes that an entry takes in the file, with the padding behind its body. */
export function entryBytesOf(header: EntryHeader): number {
  return headerBytesOf(header) + align(header.bodyLength);
}

export function align(bytes: number): number {
  return Math.ceil(bytes / entryAlign) * entryAlign;
}

/**
 * Asserts that a header can be written: an entry that cannot must be found out before it has a place
 * in the log, where a failed write ends everything.
 */
export function headerAssert(header: EntryHeader): void {
  const { bodyCrc, bodyLength, class: its, epoch, rows, shard, source, tenant } = header;
  for (const value of [bodyCrc, bodyLength, epoch, rows, shard, header.previousEpoch]) {
    assert(value >>> 0 === value, "a number of an entry fits 32 bits");
  }
  for (const value of [header.position, header.previousPosition, header.committed]) {
    assert(Number.isSafeInteger(value) && value >= 0, "a position is a whole number");
  }
  assert(
    Number.isSafeInteger(header.receiptMs) && header.receiptMs >= 0,
    "a receipt time is whole",
  );
  for (const { ns } of [header.timeMin, header.timeMax]) {
    assert(ns >>> 0 === ns && ns < 1_000_000, "nanoseconds lie within a millisecond");
  }
  for (const name of [tenant, its, source?.source ?? ""]) {
    assert(Buffer.byteLength(name) <= nameBytesMax, "a name in an entry has a limit");
  }
  for (const end of source === undefined ? [] : [source.previous, source.from, source.through]) {
    assert(BigInt.asUintN(64, end) === end, "an end of a source fits 64 bits");
  }
  assert((header.dedupeKey?.length ?? 16) === 16, "a dedupe key is 16 bytes");
  assert(bodyLength <= bodyBytesMax, "an entry's body has a limit");
}

/** The header as bytes; its checksum covers the id of the file too, so that it counts in no other. */
export function headerEncode(
  header: EntryHeader,
  at: { readonly fileId: Uint8Array; readonly groupOffset: number },
): Buffer {
  const length = headerBytesOf(header);
  assert(length <= headerBytesMax, "an entry's header has a limit");
  assert(header.bodyLength <= bodyBytesMax, "an entry's body has a limit");
  const out = Buffer.alloc(length);
  out.writeUInt32LE(magic, 0);
  out.writeUInt16LE(length, 8);
  out.writeUInt8(entryKinds[header.kind], 10);
  const { dedupeKey, source } = header;
  const flags =
    (dedupeKey === undefined ? 0 : flagDedupe) |
    (source === undefined ? 0 : flagSource) |
    (header.internal ? flagInternal : 0);
  out.writeUInt8(flags, 11);
  out.writeUInt32LE(header.shard, 12);
  out.writeUInt32LE(header.epoch, 16);
  out.writeUInt32LE(header.previousEpoch, 20);
  writeU64(out, header.position, 24);
  writeU64(out, header.previousPosition, 32);
  writeU64(out, header.committed, 40);
  writeU64(out, header.receiptMs, 48);
  out.writeUInt32LE(header.bodyLength, 56);
  out.writeUInt32LE(header.bodyCrc, 60);
  out.writeUInt32LE(at.groupOffset, 64);
  out.writeUInt32LE(header.rows, 68);
  out.writeDoubleLE(header.timeMin.ms, 72);
  out.writeDoubleLE(header.timeMax.ms, 80);
  out.writeUInt32LE(header.timeMin.ns, 88);
  out.writeUInt32LE(header.timeMax.ns, 92);
  let end = fixedBytes;
  const name = (text: string): number => {
    const written = out.write(text, end);
    assert(written <= nameBytesMax, "a name in an entry has a limit");
    end += written;
    return written;
  };
  out.writeUInt8(name(header.tenant), 96);
  out.writeUInt8(name(header.class), 97);
  if (dedupeKey !== undefined) {
    assert(dedupeKey.length === 16, "a dedupe key is 16 bytes");
    out.set(dedupeKey, 104);
  }
  if (source !== undefined) {
    out.writeUInt16LE(name(source.source), 98);
    out.writeBigUInt64LE(source.previous, 120);
    out.writeBigUInt64LE(source.from, 128);
    out.writeBigUInt64LE(source.through, 136);
  }
  out.writeUInt32LE(crc32(out.subarray(8), crc32(at.fileId)), 4);
  return out;
}

/** The header at `offset` of a file's bytes; undefined when there is none that was written whole. */
export function headerDecode(
  bytes: Buffer,
  offset: number,
  fileId: Uint8Array,
): DecodedHeader | undefined {
  if (offset + fixedBytes > bytes.length || bytes.readUInt32LE(offset) !== magic) return undefined;
  const headerLength = bytes.readUInt16LE(offset + 8);
  if (headerLength < fixedBytes || headerLength > headerBytesMax) return undefined;
  if (offset + headerLength > bytes.length) return undefined;
  const at = bytes.subarray(offset, offset + headerLength);
  if (crc32(at.subarray(8), crc32(fileId)) !== at.readUInt32LE(4)) return undefined;
  const kind = kindOfNumber.get(at.readUInt8(10));
  if (kind === undefined) return undefined;
  return { header: fieldsDecode(at, kind), headerLength, groupOffset: at.readUInt32LE(64) };
}

function fieldsDecode(at: Buffer, kind: EntryKind): EntryHeader {
  const flags = at.readUInt8(11);
  const tenantEnd = fixedBytes + at.readUInt8(96);
  const classEnd = tenantEnd + at.readUInt8(97);
  const source: EntrySource = {
    source: at.toString("utf8", classEnd, classEnd + at.readUInt16LE(98)),
    previous: at.readBigUInt64LE(120),
    from: at.readBigUInt64LE(128),
    through: at.readBigUInt64LE(136),
  };
  return {
    kind,
    shard: at.readUInt32LE(12),
    epoch: at.readUInt32LE(16),
    previousEpoch: at.readUInt32LE(20),
    position: readU64(at, 24),
    previousPosition: readU64(at, 32),
    committed: readU64(at, 40),
    receiptMs: readU64(at, 48),
    bodyLength: at.readUInt32LE(56),
    bodyCrc: at.readUInt32LE(60),
    rows: at.readUInt32LE(68),
    timeMin: { ms: at.readDoubleLE(72), ns: at.readUInt32LE(88) },
    timeMax: { ms: at.readDoubleLE(80), ns: at.readUInt32LE(92) },
    tenant: at.toString("utf8", fixedBytes, tenantEnd),
    class: at.toString("utf8", tenantEnd, classEnd),
    internal: (flags & flagInternal) !== 0,
    // A copy: the bytes of the file are not kept.
    dedupeKey: (flags & flagDedupe) === 0 ? undefined : new Uint8Array(at.subarray(104, 120)),
    source: (flags & flagSource) === 0 ? undefined : source,
  };
}

/** Marks the end of a file that was followed by another. */
export function fileEndHeader(): EntryHeader {
  const zero = { ms: 0, ns: 0 };
  return {
    ...{ kind: "file-end", shard: 0, epoch: 0, position: 0, previousEpoch: 0, previousPosition: 0 },
    ...{ committed: 0, receiptMs: 0, bodyLength: 0, bodyCrc: 0, rows: 0 },
    ...{ timeMin: zero, timeMax: zero, tenant: "", class: "", internal: false },
  };
}

/** Makes a shard's log end at a point: `truncate` at an entry that it has, `reset` at any other, with nothing before it. */
export function cutHeader(
  kind: "truncate" | "reset",
  shard: number,
  ends: { readonly to: LogPoint; readonly from: LogPoint },
): EntryHeader {
  const { to, from } = ends;
  return {
    ...fileEndHeader(),
    ...{ kind, shard, epoch: to.epoch, position: to.position },
    ...{ previousEpoch: from.epoch, previousPosition: from.position },
  };
}

/** A whole number below 2^53 in eight bytes. */
function writeU64(out: Buffer, value: number, offset: number): void {
  assert(Number.isSafeInteger(value) && value >= 0, "a position is a whole number");
  out.writeUInt32LE(value % 0x1_0000_0000, offset);
  out.writeUInt32LE(Math.floor(value / 0x1_0000_0000), offset + 4);
}

function readU64(bytes: Buffer, offset: number): number {
  return bytes.readUInt32LE(offset + 4) * 0x1_0000_0000 + bytes.readUInt32LE(offset);
}
