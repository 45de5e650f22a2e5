import { close, fdatasync, fsync, open, rename, unlink, write } from "node:fs";
import { promisify } from "node:util";

/** The calls of `node:fs` that run in the pool, as promises of plain descriptors. */
export const openFile = promisify(open);
export const closeFile = promisify(close);
export const renameFile = promisify(rename);
export const removeFile = promisify(unlink);
export const syncData = promisify(fdatasync);

const syncAll = promisify(fsync);
const writeSome = promisify(write) as (
  fd: number,
  bytes: Uint8Array,
  offset: number,
  length: number,
  position: number,
) => Promise<{ readonly bytesWritten: number }>;

/** As `writeAll`, off this thread. */
export async function writeAllLater(
  fd: number,
  bytes: Uint8Array,
  position: number,
): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await writeSome(fd, bytes, at, bytes.length - at, position + at);
    at += bytesWritten;
  }
}

/** As `directorySync`, off this thread. */
export async function directorySyncLater(directory: string): Promise<void> {
  const fd = await openFile(directory, "r");
  try {
    await syncAll(fd);
  } finally {
    await closeFile(fd);
  }
}
