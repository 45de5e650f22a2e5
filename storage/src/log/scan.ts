import { crc32 } from "node:zlib";
import type { DecodedHeader, EntryHeader } from "./entry.ts";
import { align, headerDecode, magicBytes } from "./entry.ts";
import { entryAlign, logFileHeadBytes } from "./limits.ts";

/** An entry found in a log file. */
export interface ScannedEntry {
  readonly header: EntryHeader;
  /** Of the entry in the file. */
  readonly offset: number;
  /** Of its body in the file. */
  readonly bodyOffset: number;
  /** The body differs from its checksum although later groups prove that it was on disk. */
  readonly isDamaged: boolean;
}

/**
 * How a file's entries end. `closed`: by the mark of a file that was followed by another. `open`: by
 * bytes that are no entry and may be the rest of a group that was never synced. `damaged`: by bytes
 * that are no entry, although what lies behind them proves that they were one.
 */
export type ScanEnd = "closed" | "open" | "damaged";

export interface FileScan {
  readonly entries: readonly ScannedEntry[];
  readonly end: ScanEnd;
  /** Where the next entry would start, or where the damage is. */
  readonly endOffset: number;
  /** Whole headers lie behind the end: they must be wiped before the file is written on. */
  readonly hasRest: boolean;
}

/** Reads all entries of a log file. Pure: `bytes` is the whole file. */
export function scanFile(bytes: Buffer, fileId: Uint8Array): FileScan {
  const entries: ScannedEntry[] = [];
  let offset = logFileHeadBytes;
  const stop = (end: ScanEnd): FileScan => {
    const hasRest = end === "open" && !isEmpty(headersAfter(bytes, fileId, offset));
    return { entries, end, endOffset: offset, hasRest };
  };
  for (;;) {
    const decoded = headerDecode(bytes, offset, fileId);
    if (decoded?.header.kind === "file-end") return stop("closed");
    const bodyOffset = offset + (decoded?.headerLength ?? 0);
    if (decoded === undefined || bodyOffset + decoded.header.bodyLength > bytes.length) {
      return stop(wasSynced(bytes, fileId, offset) ? "damaged" : "open");
    }
    const { header } = decoded;
    const body = bytes.subarray(bodyOffset, bodyOffset + header.bodyLength);
    const isDamaged = crc32(body) !== header.bodyCrc;
    if (isDamaged && !wasSynced(bytes, fileId, offset)) return stop("open");
    entries.push({ header, offset, bodyOffset, isDamaged });
    offset = bodyOffset + align(header.bodyLength);
  }
}

/** Whether the file has an entry of a group that was begun when everything up to `offset` was on disk. */
function wasSynced(bytes: Buffer, fileId: Uint8Array, offset: number): boolean {
  for (const found of headersAfter(bytes, fileId, offset)) {
    if (found.groupOffset > offset) return true;
  }
  return false;
}

function* headersAfter(bytes: Buffer, fileId: Uint8Array, offset: number): Iterable<DecodedHeader> {
  let at = bytes.indexOf(magicBytes, offset + entryAlign);
  while (at !== -1) {
    const found = at % entryAlign === 0 ? headerDecode(bytes, at, fileId) : undefined;
    if (found !== undefined) yield found;
    at = bytes.indexOf(magicBytes, at + 1);
  }
}

function isEmpty(items: Iterable<unknown>): boolean {
  for (const _ of items) return false;
  return true;
}
