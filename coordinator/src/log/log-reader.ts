import { ServiceError } from "../../../kit/src/errors.ts";
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
import { readWhole } from "./files.ts";

/** How a log file ends: where its last whole entry does, and whether something cut off follows. */
export interface LogEnd {
  readonly bytes: number;
  readonly isTorn: boolean;
}

/**
 * Hands on every entry of a log file. Only the last file may end in an entry that was cut off, and only
 * if nothing valid follows it; anything else throws `storage.damaged`.
 */
export function logRead(
  path: string,
  options: { readonly isLast: boolean },
  onEntry: (entry: TxnEntry) => void,
): LogEnd {
  const bytes = readWhole(path);
  // A crash between the file's creation and its first sync can leave it without any of its bytes.
  if (options.isLast && isZero(bytes, 0)) return { bytes: 0, isTorn: bytes.length > 0 };
  const from = new JuteReader(bytes);
  try {
    fileHeaderRead(from, logMagic);
  } catch (thrown) {
    if (!(thrown instanceof WireError)) throw thrown;
    if (options.isLast && isTornHeader(bytes)) return { bytes: 0, isTorn: true };
    throw damaged(path, 0, thrown);
  }
  for (;;) {
    const at = from.position;
    try {
      const record = logRecordRead(from);
      if (record === undefined) {
        // What is not all zeros after the end was written by nobody in this order.
        if (!isZero(bytes, at)) throw new WireError("trailing", "data follows the log's end", at);
        return { bytes: at, isTorn: false };
      }
      onEntry(entryOf(record));
    } catch (thrown) {
      if (!(thrown instanceof WireError)) throw thrown;
      const isTail = options.isLast && !hasRecordAfter(bytes, at);
      if (!isTail || thrown.fault === "type") throw damaged(path, at, thrown);
      return { bytes: at, isTorn: true };
    }
  }
}

function entryOf(record: Buffer): TxnEntry {
  const from = new JuteReader(record);
  try {
    const entry = TxnEntry.read(from);
    from.end();
    return entry;
  } catch (thrown) {
    if (!(thrown instanceof WireError)) throw thrown;
    // Its checksum holds, so it was written this way: never a torn tail.
    throw new WireError("type", `an entry cannot be read: ${thrown.message}`, thrown.offset);
  }
}

function damaged(path: string, offset: number, cause: WireError): ServiceError {
  const fields = { path, offset, fault: cause.fault };
  return new ServiceError("storage.damaged", `a txn log is damaged: ${cause.message}`, fields, {
    cause,
  });
}

function isZero(bytes: Buffer, from: number): boolean {
  for (let at = from; at < bytes.length; at++) if (bytes[at] !== 0) return false;
  return true;
}

function isTornHeader(bytes: Buffer): boolean {
  return bytes.length < fileHeaderBytes || isZero(bytes, fileHeaderBytes);
}

/** Whether a whole entry begins anywhere after this offset: then what is broken before it is no torn tail. */
function hasRecordAfter(bytes: Buffer, offset: number): boolean {
  const stop = bytes.length - logRecordOverhead;
  for (let at = offset + 1; at <= stop; at++) {
    // The checksum's high half is zero in every record, which rules most offsets out at once.
    if (bytes[at] !== 0 || bytes.readUInt32BE(at) !== 0) continue;
    const length = bytes.readInt32BE(at + 8);
    if (length <= 0 || length > entryBytesMax || at + logRecordOverhead + length > bytes.length) {
      continue;
    }
    if (bytes[at + 12 + length] !== recordEndByte) continue;
    if (bytes.readUInt32BE(at + 4) === adler32(bytes, at + 12, at + 12 + length)) return true;
  }
  return false;
}
