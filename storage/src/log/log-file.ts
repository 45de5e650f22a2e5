import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import type { Disk } from "./disk.ts";
import { logFileHeadBytes } from "./limits.ts";

/** A log file as its head and name say. */
export interface LogFileHead {
  /** Drawn anew each time a file is prepared: entries of its earlier life do not count. */
  readonly fileId: Uint8Array;
  /** The order of the files of a log, ascending from 1; also in the name. */
  readonly sequence: number;
}

/** Being prepared, or being taken apart for reuse: never read, deleted at the next start. */
export const draftName = "prepare.tmp";

const headMagic = "LOGKEEP1";
export const fileIdOffset = 8;
export const fileIdBytes = 16;
const zeroChunk = Buffer.alloc(1024 * 1024);

export function fileIdDraw(): Uint8Array {
  return new Uint8Array(randomBytes(fileIdBytes));
}

export function logFileName(sequence: number): string {
  return `log-${String(sequence).padStart(12, "0")}`;
}

export function logFileSequence(name: string): number | undefined {
  const match = /^log-(\d{12})$/.exec(name);
  return match === null ? undefined : Number(match[1]);
}

/** The head of a file's bytes; undefined when it is damaged. */
export function headDecode(bytes: Buffer): LogFileHead | undefined {
  if (bytes.length < logFileHeadBytes || bytes.toString("latin1", 0, 8) !== headMagic)
    return undefined;
  if (crc32(bytes.subarray(0, 32)) !== bytes.readUInt32LE(32)) return undefined;
  return {
    fileId: new Uint8Array(bytes.subarray(fileIdOffset, fileIdOffset + fileIdBytes)),
    sequence: Number(bytes.readBigUInt64LE(24)),
  };
}

function headEncode(head: LogFileHead): Buffer {
  const out = Buffer.alloc(logFileHeadBytes);
  out.write(headMagic, 0, "latin1");
  out.set(head.fileId, fileIdOffset);
  out.writeBigUInt64LE(BigInt(head.sequence), 24);
  out.writeUInt32LE(crc32(out.subarray(0, 32)), 32);
  return out;
}

/**
 * Makes a log file ready for entries: every block of it is written and on disk, so that a full disk
 * shows here and not under an entry. `reuse` names a file of the log that is needed no more: it is
 * already allocated and gets a new id. Throws what the file system throws, and leaves no draft then.
 */
export async function prepareFile(
  disk: Disk,
  at: { readonly directory: string; readonly sequence: number; readonly fileBytes: number },
  reuse: string | undefined,
): Promise<LogFileHead> {
  const draft = join(at.directory, draftName);
  const head = { fileId: fileIdDraw(), sequence: at.sequence };
  if (reuse !== undefined) {
    disk.rename(join(at.directory, reuse), draft);
    // Its old name must be gone before its head says otherwise.
    await disk.fsyncDirectory(at.directory);
  }
  const fd = disk.open(draft, reuse === undefined ? "wx+" : "r+");
  try {
    await disk.write(fd, headEncode(head), 0);
    if (reuse === undefined) await zeroFill(disk, fd, logFileHeadBytes, at.fileBytes);
    await disk.fsync(fd);
    disk.close(fd);
  } catch (thrown) {
    disk.close(fd);
    disk.unlink(draft);
    throw thrown;
  }
  disk.rename(draft, join(at.directory, logFileName(at.sequence)));
  await disk.fsyncDirectory(at.directory);
  return head;
}

/** Puts the head of a file that has lost it in its place again. */
export async function replaceHead(disk: Disk, directory: string, head: LogFileHead): Promise<void> {
  const fd = disk.open(join(directory, logFileName(head.sequence)), "r+");
  try {
    await disk.write(fd, headEncode(head), 0);
    await disk.fsync(fd);
  } finally {
    disk.close(fd);
  }
}

/** Writes zeros over [from, to) of a file; the caller syncs. */
export async function zeroFill(disk: Disk, fd: number, from: number, to: number): Promise<void> {
  for (let at = from; at < to; at += zeroChunk.length) {
    await disk.write(fd, zeroChunk.subarray(0, Math.min(zeroChunk.length, to - at)), at);
  }
}
