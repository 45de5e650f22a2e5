import { join } from "node:path";
import type { Disk } from "./disk.ts";
import { draftName, headDecode, type LogFileHead, logFileSequence, zeroFill } from "./log-file.ts";
import {
  damageError,
  type LogDamage,
  RecoveredEntries,
  type RecoveredShard,
} from "./recovered-entries.ts";
import { type FileScan, scanFile } from "./scan.ts";

/** A log file that was read at start. */
export interface RecoveredFile extends LogFileHead {
  readonly name: string;
  readonly bytes: number;
  readonly scan: FileScan;
}

export interface RecoveredLog {
  /** Oldest first; the last with entries may be written on, those behind it are spare. */
  readonly files: readonly RecoveredFile[];
  readonly shards: ReadonlyMap<number, RecoveredShard>;
  /** What is wrong with shards: they must not be served unless it is all sealed. */
  readonly damaged: ReadonlyMap<number, readonly LogDamage[]>;
}

/**
 * Reads a log's directory. The rest of a group that was never synced is wiped from the tail; damage
 * that names its shard stops that shard; any other throws `storage.damaged` with file and offset.
 */
export async function recoverLog(disk: Disk, directory: string): Promise<RecoveredLog> {
  const names = disk.readdir(directory);
  if (names.includes(draftName)) disk.unlink(join(directory, draftName));
  const files = names
    .filter((name) => logFileSequence(name) !== undefined)
    .sort()
    .map((name) => readFile(disk, directory, name));
  const tail = files.findLastIndex((file) => file.scan.entries.length > 0);
  for (const [index, file] of files.entries()) {
    const { scan } = file;
    if (index > 0 && file.sequence !== files[index - 1]!.sequence + 1) {
      throw damageError({ file: file.name, offset: 0, reason: "file before this one is missing" });
    }
    if (scan.end === "damaged" || (index < tail && scan.end === "open")) {
      throw damageError({ file: file.name, offset: scan.endOffset, reason: "entry is damaged" });
    }
  }
  for (const file of files) if (file.scan.hasRest) await wipeRest(disk, directory, file);
  return { files, ...chain(files) };
}

function readFile(disk: Disk, directory: string, name: string): RecoveredFile {
  const fd = disk.open(join(directory, name), "r");
  try {
    const bytes = Buffer.allocUnsafe(disk.size(fd));
    const got = disk.read(fd, bytes, 0);
    const head = headDecode(bytes.subarray(0, got));
    if (head === undefined || head.sequence !== logFileSequence(name)) {
      throw damageError({ file: name, offset: 0, reason: "head of the file is damaged" });
    }
    return { ...head, name, bytes: got, scan: scanFile(bytes, head.fileId) };
  } finally {
    disk.close(fd);
  }
}

/** Whatever lies behind the last entry must never be met as an entry behind a later one. */
async function wipeRest(disk: Disk, directory: string, file: RecoveredFile): Promise<void> {
  const fd = disk.open(join(directory, file.name), "r+");
  try {
    await zeroFill(disk, fd, file.scan.endOffset, file.bytes);
    await disk.fsync(fd);
  } finally {
    disk.close(fd);
  }
}

/** Sorts entries by shard and position, and checks that each follows its predecessor. */
function chain(files: readonly RecoveredFile[]): Pick<RecoveredLog, "shards" | "damaged"> {
  const found = new Map<number, RecoveredEntries>();
  for (const { name, sequence, scan } of files) {
    for (const scanned of scan.entries) {
      const { shard } = scanned.header;
      const entries = found.get(shard) ?? new RecoveredEntries();
      found.set(shard, entries);
      entries.add({ ...scanned, file: name, sequence });
    }
  }
  const damaged = new Map<number, readonly LogDamage[]>();
  for (const [shard, entries] of found) {
    const damages = entries.damages();
    if (damages.length > 0) damaged.set(shard, damages);
  }
  return { shards: found, damaged };
}
