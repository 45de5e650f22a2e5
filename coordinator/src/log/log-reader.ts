import { ServiceError } from "../../../kit/src/errors.ts";
import type { ByteSource } from "../tree/image-bytes.ts";
import { adler32 } from "../wire/adler32.ts";
import { WireError } from "../wire/errors.ts";
import {
  fileHeaderBytes,
  fileHeaderRead,
  logMagic,
  logRecordOverhead,
  logRecordRead,
  recordEndByte,
} from "../wire/files.ts";
import { entryBytesMax } from "../wire/limits.ts";
import { JuteReader } from "../wire/reader.ts";
import { TxnEntry } from "../wire/txns.ts";
import { fileOpen, fileRead } from "./files.ts";
import { logPieceBytes } from "./limits.ts";

/**
 * What a crash did to the last entry of a log. `stopped`: its write was cut off, and zeros written ahead stand for the
 * rest. `lost`: the file ends within it, or pieces in the middle never came to the disk.
 */
export type Torn = "stopped" | "lost";

/** How a log file ends. */
export interface LogEnd {
  /** Where its last whole entry does; 0 when not even its header is whole. */
  readonly bytes: number;
  /** Bytes of the file after that which are no zeros that were written ahead. */
  readonly tornBytes: number;
  readonly entries: number;
  readonly torn: Torn | undefined;
}

/**
 * Hands on the bytes of every entry of a log file, a view each, with the offset where its record ends. Whether a torn end may
 * stand where it does is for the caller to decide, by what follows in other files; anything else that is wrong throws
 * `storage.damaged`. So does a `WireError` of `onEntry`: an entry whose checksum holds was written as it is.
 */
export function logRead(path: string, onEntry: (bytes: Buffer, end: number) => void): LogEnd {
  const file = fileOpen(path);
  try {
    const run = wholeRun(file, path, onEntry);
    const rest = fileRead(file, run.bytes, file.size - run.bytes);
    return restRead({ path, bytes: rest, base: run.bytes, used: usedLength(rest) }, run, onEntry);
  } finally {
    file.close();
  }
}

/** Reads one piece of a log after the other as long as entries are whole: nearly always that is all of it. */
function wholeRun(
  file: ByteSource,
  path: string,
  onEntry: (bytes: Buffer, end: number) => void,
): Run {
  let bytes = 0;
  let entries = 0;
  for (;;) {
    // A buffer of its own for each piece: entries are views that the caller may keep for a while.
    const from = new JuteReader(pieceRead(file, bytes));
    if (bytes === 0 && !isHeader(from)) return { bytes, entries };
    let end = from.position;
    try {
      for (let entry = entryWhole(from); entry !== undefined; entry = entryWhole(from)) {
        onEntry(entry, bytes + from.position);
        end = from.position;
        entries++;
      }
    } catch (thrown) {
      if (!(thrown instanceof WireError)) throw thrown;
      throw damaged(path, bytes + end, thrown);
    }
    if (end === 0) return { bytes, entries };
    bytes += end;
  }
}

/** Through where everything is whole. */
interface Run {
  readonly bytes: number;
  readonly entries: number;
}

/** A piece that is large enough for what it begins with. */
function pieceRead(file: ByteSource, position: number): Buffer {
  const length = Math.min(file.size - position, logPieceBytes);
  const piece = fileRead(file, position, length);
  if (position === 0 || piece.length < lengthEnd) return piece;
  const needed = piece.readInt32BE(lengthEnd - 4) + logRecordOverhead;
  const isLong = needed > length && needed <= logRecordOverhead + entryBytesMax;
  return isLong ? fileRead(file, position, Math.min(needed, file.size - position)) : piece;
}

function isHeader(from: JuteReader): boolean {
  try {
    fileHeaderRead(from, logMagic);
    return true;
  } catch (thrown) {
    if (!(thrown instanceof WireError)) throw thrown;
    return false;
  }
}

/** The next entry when it is all there and as it was written. What else stands there is for `restRead` to say. */
function entryWhole(from: JuteReader): Buffer | undefined {
  try {
    const entry = logRecordRead(from);
    return entry === undefined || entry.length < entryHeaderBytes ? undefined : entry;
  } catch (thrown) {
    if (!(thrown instanceof WireError)) throw thrown;
    return undefined;
  }
}

/** How a log ends, or what is wrong with it: from where its entries are no longer whole. */
function restRead(file: File, run: Run, onEntry: (bytes: Buffer, end: number) => void): LogEnd {
  const { path, bytes, base, used } = file;
  // A crash between the file's creation and its first sync can leave it without any of its bytes, or of its entries.
  if (used === 0) return { bytes: base, tornBytes: 0, entries: run.entries, torn: undefined };
  const from = new JuteReader(bytes);
  try {
    if (base === 0) fileHeaderRead(from, logMagic);
  } catch (thrown) {
    if (!(thrown instanceof WireError)) throw thrown;
    if (used <= fileHeaderBytes) return { bytes: 0, tornBytes: used, entries: 0, torn: "lost" };
    throw damaged(path, 0, thrown);
  }
  for (let entries = run.entries; ; entries++) {
    const at = from.position;
    if (at >= used) return { bytes: base + at, tornBytes: 0, entries, torn: undefined };
    const entry = entryNext(from, file);
    if (typeof entry === "string") {
      return { bytes: base + at, tornBytes: used - at, entries, torn: entry };
    }
    try {
      onEntry(entry, base + from.position);
    } catch (thrown) {
      if (!(thrown instanceof WireError)) throw thrown;
      throw damaged(path, base + at, thrown);
    }
  }
}

/**
 * How many records a log seems to have, by their lengths alone, up to `countMax`. Only where each record ends is looked at.
 */
export function logRecordsCount(path: string, countMax: number): number {
  const file = fileOpen(path);
  try {
    const head = Buffer.alloc(lengthEnd);
    let count = 0;
    for (let at = fileHeaderBytes; count < countMax; count++) {
      if (file.read(head, 0, lengthEnd, at) < lengthEnd) break;
      const length = head.readInt32BE(lengthEnd - 4);
      if (length <= 0 || length > entryBytesMax) break;
      at += logRecordOverhead + length;
      if (at > file.size) break;
    }
    return count;
  } finally {
    file.close();
  }
}

/** What an entry says. Throws a `WireError`. */
export function entryRead(bytes: Buffer): TxnEntry {
  const from = new JuteReader(bytes);
  const entry = TxnEntry.read(from);
  from.end();
  return entry;
}

/** The zxid of an entry, without reading the rest. Throws a `WireError`. */
export function entryZxid(bytes: Buffer): number {
  const zxid = bytes.readUInt32BE(zxidOffset) * 2 ** 32 + bytes.readUInt32BE(zxidOffset + 4);
  if (!Number.isSafeInteger(zxid)) throw new WireError("range", "a zxid out of range", zxidOffset);
  return zxid;
}

/** After the session id and the cxid. */
const zxidOffset = 12;

/** Session id, cxid, zxid, time, type. */
const entryHeaderBytes = 32;

/** The rest of a file. */
interface File {
  readonly path: string;
  readonly bytes: Buffer;
  /** Where in the file its first byte is. */
  readonly base: number;
  /** Everything after is zeros. */
  readonly used: number;
}

function entryNext(from: JuteReader, file: File): Buffer | Torn {
  const at = from.position;
  try {
    const entry = logRecordRead(from);
    // Zeros, and something after them: the beginning of an entry never came.
    if (entry === undefined) throw new WireError("trailing", "data follows the log's end", at);
    if (entry.length >= entryHeaderBytes) return entry;
    // Its checksum holds, so it was written this way.
    throw damaged(
      file.path,
      file.base + at,
      new WireError("type", "an entry without a header", at),
    );
  } catch (thrown) {
    if (!(thrown instanceof WireError)) throw thrown;
    const torn = hasRecordAfter(file, at) ? undefined : tornOf(file, at, thrown);
    if (torn === undefined) throw damaged(file.path, file.base + at, thrown);
    return torn;
  }
}

function damaged(path: string, offset: number, cause: WireError): ServiceError {
  const fields = { path, offset, fault: cause.fault };
  return new ServiceError("storage.damaged", `a txn log is damaged: ${cause.message}`, fields, {
    cause,
  });
}

/**
 * Whether what is broken at this offset, the last thing in the file, is a write that a crash cut off. That leaves bytes out:
 * the file ends, or zeros stand, where they should be. An entry that is all there and does not match its checksum
 * was changed on the disk: to cut it off would lose what was acknowledged.
 */
function tornOf(file: File, at: number, fault: WireError): Torn | undefined {
  const { bytes, used } = file;
  // The header that says how long it is never came, but something after it did.
  if (fault.fault === "trailing") return "lost";
  if (used < at + lengthEnd) return bytes.length >= at + lengthEnd ? "stopped" : "lost";
  if (isWholeUpTo(bytes, at, used)) return undefined;
  const length = bytes.readInt32BE(at + lengthEnd - 4);
  if (length <= 0 || length > entryBytesMax) return undefined;
  const end = at + logRecordOverhead + length;
  if (used < end) return bytes.length >= end ? "stopped" : "lost";
  return hasZeroSector(file, at, end) ? "lost" : undefined;
}

/** Of a record: checksum and length. */
const lengthEnd = 12;

/** Whether it is an entry after all, and only its length is wrong. */
function isWholeUpTo(bytes: Buffer, at: number, end: number): boolean {
  if (end - at <= logRecordOverhead || bytes[end - 1] !== recordEndByte) return false;
  return bytes.readUInt32BE(at + 4) === adler32(bytes, at + lengthEnd, end - 1);
}

/** A disk writes sectors of 512 bytes or more, each whole or not at all. */
const sectorBytes = 512;
const sectorZero = Buffer.alloc(sectorBytes);

function hasZeroSector({ bytes, base }: File, from: number, end: number): boolean {
  for (let at = from; at < end; ) {
    const stop = Math.min(end, at - ((base + at) % sectorBytes) + sectorBytes);
    if (bytes.compare(sectorZero, 0, stop - at, at, stop) === 0) return true;
    at = stop;
  }
  return false;
}

/** The length without the zeros at the end. */
function usedLength(bytes: Buffer): number {
  let end = bytes.length;
  // Most of a file can be zeros that were written ahead.
  for (; end >= sectorBytes; end -= sectorBytes) {
    if (bytes.compare(sectorZero, 0, sectorBytes, end - sectorBytes, end) !== 0) break;
  }
  while (end > 0 && bytes[end - 1] === 0) end--;
  return end;
}

/** Whether a whole entry begins anywhere after this offset: then what is broken before it is no torn tail. */
function hasRecordAfter({ bytes, used }: File, offset: number): boolean {
  const stop = used - logRecordOverhead;
  for (let at = offset + 1; at <= stop; at++) {
    // The checksum's high half is zero in every record, which rules most offsets out at once.
    if (bytes[at] !== 0 || bytes.readUInt32BE(at) !== 0) continue;
    const length = bytes.readInt32BE(at + 8);
    if (length <= 0 || length > entryBytesMax || at + logRecordOverhead + length > used) {
      continue;
    }
    if (bytes[at + 12 + length] !== recordEndByte) continue;
    if (bytes.readUInt32BE(at + 4) === adler32(bytes, at + 12, at + 12 + length)) return true;
  }
  return false;
}
