import { join } from "node:path";
import { crc32 } from "node:zlib";
import type { LogEntry } from "./commit-log.ts";
import type { Disk } from "./disk.ts";
import { headerDecode } from "./entry.ts";
import { headerBytesMax } from "./limits.ts";
import { type LogFileHead, logFileName } from "./log-file.ts";
import { damageError } from "./recovered-entries.ts";

/** The entry at an offset of a log file, checked. Throws `storage.damaged`. */
export function readEntry(
  at: { readonly disk: Disk; readonly directory: string },
  file: LogFileHead,
  offset: number,
): LogEntry {
  const name = logFileName(file.sequence);
  const fd = at.disk.open(join(at.directory, name), "r");
  try {
    const front = Buffer.alloc(headerBytesMax);
    const got = at.disk.read(fd, front, offset);
    const decoded = headerDecode(front.subarray(0, got), 0, file.fileId);
    if (decoded === undefined) {
      throw damageError({ file: name, offset, reason: "entry is damaged" });
    }
    const { header, headerLength } = decoded;
    const body = Buffer.alloc(header.bodyLength);
    const bodyGot = at.disk.read(fd, body, offset + headerLength);
    if (bodyGot !== body.length || crc32(body) !== header.bodyCrc) {
      throw damageError({ file: name, offset, reason: "body is damaged" }, header.shard);
    }
    return { header, body };
  } finally {
    at.disk.close(fd);
  }
}
