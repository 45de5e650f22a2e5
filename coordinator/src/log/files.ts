import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";

import { ServiceError } from "../../../kit/src/errors.ts";
import type { ByteSource } from "../tree/image-bytes.ts";

/** Where Apache keeps logs, snapshots and epochs below its data directory. */
export function versionDirectory(dataDir: string): string {
  return join(dataDir, "version-2");
}

/** Creates the directory and makes it durable in its parent. */
export function directoryCreate(dataDir: string): string {
  const directory = versionDirectory(dataDir);
  mkdirSync(directory, { recursive: true });
  directorySync(directory);
  directorySync(dataDir);
  return directory;
}

/** A file that was created, renamed or removed here is durably so only after this. */
export function directorySync(directory: string): void {
  const fd = openSync(directory, constants.O_RDONLY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Replaces a file whole: after a crash it holds the old bytes or the new ones. */
export function fileReplace(directory: string, name: string, bytes: Uint8Array): void {
  const temporary = join(directory, `${name}${temporarySuffix}`);
  const fd = openSync(temporary, "w");
  try {
    writeAll(fd, bytes, 0);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(temporary, join(directory, name));
  directorySync(directory);
}

/** The end of a name under which a file is written before it is whole. */
export const temporarySuffix = ".tmp";

/** What this server and Apache's write under temporary names; other people's files are left alone. */
const temporaryPattern = /^(log|snapshot|image|acceptedEpoch|currentEpoch)(\.[0-9a-f]+)*\.tmp$/;

/** Removes what a crash left half written. Returns the paths of what would not go: none is in the way. */
export function temporariesRemove(directory: string): readonly string[] {
  const left: string[] = [];
  for (const name of readdirSync(directory)) {
    if (!temporaryPattern.test(name)) continue;
    const path = join(directory, name);
    try {
      rmSync(path, { recursive: true });
    } catch {
      left.push(path);
    }
  }
  return left;
}

/** A write may take less than it was given; this one does not. */
export function writeAll(fd: number, bytes: Uint8Array, position: number): void {
  for (let at = 0; at < bytes.length; ) {
    at += writeSync(fd, bytes, at, bytes.length - at, position + at);
  }
}

/** A file that is read piece by piece, until it is closed. */
export function fileOpen(path: string): ByteSource & { close(): void } {
  const fd = openSync(path, "r");
  return {
    size: fstatSync(fd).size,
    read: (into, at, length, position) => readSync(fd, into, at, length, position),
    close: () => closeSync(fd),
  };
}

/** Bytes of a file in a buffer of their own: fewer than asked for only when it has become shorter. */
export function fileRead(file: ByteSource, position: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafeSlow(length);
  let at = 0;
  while (at < length) {
    // One call reads at most 2 GiB.
    const count = file.read(bytes, at, Math.min(length - at, 2 ** 30), position + at);
    if (count === 0) break;
    at += count;
  }
  return bytes.subarray(0, at);
}

/** The whole of a file. */
export function readWhole(path: string): Buffer {
  const file = fileOpen(path);
  try {
    return fileRead(file, 0, file.size);
  } finally {
    file.close();
  }
}

/** A log or a snapshot, with the zxid in its name: of a log's first txn, or of a snapshot's last. */
export interface NamedFile {
  readonly path: string;
  readonly zxid: number;
}

/** Files named `<prefix>.<zxid in hexadecimal>`, oldest first. */
export function filesNamed(directory: string, prefix: "log" | "snapshot"): NamedFile[] {
  const files: NamedFile[] = [];
  for (const name of readdirSync(directory)) {
    const match = /^(log|snapshot)\.([0-9a-f]{1,14})$/.exec(name);
    if (match?.[1] !== prefix) continue;
    const path = join(directory, name);
    const zxid = Number.parseInt(match[2]!, 16);
    if (!Number.isSafeInteger(zxid)) {
      throw new ServiceError("storage.damaged", "a file is named after no zxid", { path });
    }
    files.push({ path, zxid });
  }
  return files.sort((a, b) => a.zxid - b.zxid);
}

export function logName(zxid: number): string {
  return `log.${zxid.toString(16)}`;
}

export function snapshotName(zxid: number): string {
  return `snapshot.${zxid.toString(16)}`;
}

/** A snapshot of a leader's while it comes in. Not `snapshot.`: Apache takes all so named for one that is whole. */
export function imageName(zxid: number, distinct: string): string {
  return `image.${zxid.toString(16)}.${distinct}${temporarySuffix}`;
}
