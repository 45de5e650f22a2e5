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

/** Bytes of a log file that are no entries, although they were: `offset … end`, up to the next one that is whole. */
export interface LogHole {
  readonly offset: number;
  readonly end: number;
}

/**
 * How a file's entries end. `closed`: by the mark of a file that was followed by another. `open`: by
 * bytes that are no entry and may be the rest of a group that was never synced.
 */
export type ScanEnd = "closed" | "open";

export interface FileScan {
  readonly entries: readonly ScannedEntry[];
  /** Ascending; whose entries lay there nobody can tell. */
  readonly holes: readonly LogHole[];
  readonly end: ScanEnd;
  /** Where the next entry would start. */
  readonly endOffset: number;
  /** Whole headers lie behind the end: they must be wiped before the file is written on. */
  readonly hasRest: boolean;
}

/** Reads all entries of a log file. Pure: `bytes` is the whole file; `isSettled`: all that it ever had was on disk. */
export function scanFile(bytes: Buffer, fileId: Uint8Array, isSettled = false): FileScan {
  const entries: ScannedEntry[] = [];
  const holes: LogHole[] = [];
  let offset = logFileHeadBytes;
  const stop = (end: ScanEnd): FileScan => {
    const hasRest = end === "open" && nextHeader(bytes, fileId, offset) !== undefined;
    return { entries, holes, end, endOffset: offset, hasRest };
  };
  for (;;) {
    const decoded = headerDecode(bytes, offset, fileId);
    if (decoded?.header.kind === "file-end") return stop("closed");
    const bodyOffset = offset + (decoded?.headerLength ?? 0);
    if (decoded === undefined || bodyOffset + decoded.header.bodyLength > bytes.length) {
      const isDamage = isSettled || wasSynced(bytes, fileId, offset);
      const end = isDamage ? nextHeader(bytes, fileId, offset) : undefined;
      if (end === undefined) return stop("open");
      holes.push({ offset, end });
      offset = end;
      continue;
    }
    const { header } = decoded;
    const body = bytes.subarray(bodyOffset, bodyOffset + header.bodyLength);
    const isDamaged = crc32(body) !== header.bodyCrc;
    if (isDamaged && !isSettled && !wasSynced(bytes, fileId, offset)) return stop("open");
    entries.push({ header, offset, bodyOffset, isDamaged });
    offset = bodyOffset + align(header.bodyLength);
  }
}

/** Whether the file has an entry of a group that was begun when everything up to `offset` was on disk. */
function wasSynced(bytes: Buffer, fileId: Uint8Array, offset: number): boolean {
  for (const { groupOffset } of headersAfter(bytes, fileId, offset)) {
    if (groupOffset > offset) return true;
  }
  return false;
}

/** Where the next entry lies that is whole. */
function nextHeader(bytes: Buffer, fileId: Uint8Array, offset: number): number | undefined {
  for (const { at } of headersAfter(bytes, fileId, offset)) return at;
  return undefined;
}

function* headersAfter(
  bytes: Buffer,
  fileId: Uint8Array,
  offset: number,
): Iterable<DecodedHeader & { readonly at: number }> {
  let at = bytes.indexOf(magicBytes, offset + entryAlign);
  while (at !== -1) {
    // Its checksum is over the id of the file, which no body can know.
    const found = at % entryAlign === 0 ? headerDecode(bytes, at, fileId) : undefined;
    if (found !== undefined) yield { ...found, at };
    at = bytes.indexOf(magicBytes, at + 1);
  }
}
