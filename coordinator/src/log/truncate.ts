import { closeSync, fsyncSync, ftruncateSync, openSync, unlinkSync } from "node:fs";

import { ServiceError } from "../../../kit/src/errors.ts";
import { zxidText } from "../core/zxid.ts";
import { directorySync, filesNamed, type NamedFile } from "./files.ts";
import type { Directories } from "./install.ts";
import { entryZxid, logRead } from "./log-reader.ts";

/**
 * Cuts the logs so that this is their last txn; durable when it returns. Throws `storage.damaged`, and leaves all as it
 * is, when the history does not hold this zxid, or a snapshot holds more than it. A crash on the way leaves
 * the history through some txn between this one and the last: files go from the newest on.
 */
export function logsTruncate(directories: Directories, zxid: number): void {
  const logs = filesNamed(directories.logs, "log");
  const snapshots = filesNamed(directories.snapshots, "snapshot");
  const newest = snapshots.at(-1);
  if (newest !== undefined && newest.zxid > zxid) {
    throw refusal("a log cannot be cut below a snapshot", newest.path, zxid);
  }
  const index = logs.findLastIndex((log) => log.zxid <= zxid);
  const log = logs[index];
  const kept = log === undefined ? none : keptOf(log, zxid);
  // What a snapshot ends with is in the history whether or not its txn is still in a log.
  if (kept.zxidLast !== zxid && newest?.zxid !== zxid) {
    throw refusal("a log does not hold the txn that it is to end with", directories.logs, zxid);
  }
  const gone = logs.slice(index + 1);
  if (log !== undefined && kept.zxidLast === undefined) gone.unshift(log);
  for (const { path } of gone.reverse()) {
    unlinkSync(path);
    directorySync(directories.logs);
  }
  if (log !== undefined && kept.zxidLast !== undefined) fileCut(log.path, kept.bytes);
}

/** Durable when it returns. */
export function fileCut(path: string, bytes: number): void {
  const fd = openSync(path, "r+");
  try {
    ftruncateSync(fd, bytes);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

interface Kept {
  readonly bytes: number;
  readonly zxidLast: number | undefined;
}

const none: Kept = { bytes: 0, zxidLast: undefined };

/** What of a log is not above this zxid. */
function keptOf(log: NamedFile, zxid: number): Kept {
  let kept = none;
  logRead(log.path, (entry, end) => {
    const at = entryZxid(entry);
    if (at <= zxid) kept = { bytes: end, zxidLast: at };
  });
  return kept;
}

function refusal(message: string, path: string, zxid: number): ServiceError {
  return new ServiceError("storage.damaged", message, { path, zxid: zxidText(zxid) });
}
