import { join } from "node:path";
import { ServiceError } from "../../../kit/src/errors.ts";
import type { Disk } from "./disk.ts";
import { draftName, headDecode, type LogFileHead, logFileSequence, zeroFill } from "./log-file.ts";
import { type FileScan, type ScannedEntry, scanFile } from "./scan.ts";

/** A log file that was read at start. */
export interface RecoveredFile extends LogFileHead {
  readonly name: string;
  readonly bytes: number;
  readonly scan: FileScan;
}

/** An entry of a shard that was read at start; its body is still in the file. */
export interface RecoveredEntry extends ScannedEntry {
  readonly file: string;
}

/** Where a shard's entries are not what they were. */
export interface LogDamage {
  readonly file: string;
  readonly offset: number;
  readonly reason: string;
  /** Harmless once the shard is sealed through this position. */
  readonly position: number;
}

export interface RecoveredLog {
  /** Oldest first; the last with entries may be written on, those behind it are spare. */
  readonly files: readonly RecoveredFile[];
  /** The entries of each shard, in the order of its positions. */
  readonly shards: ReadonlyMap<number, readonly RecoveredEntry[]>;
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

/** Sorts entries by shard and checks that each follows its predecessor. */
function chain(files: readonly RecoveredFile[]): Pick<RecoveredLog, "shards" | "damaged"> {
  const shards = new Map<number, RecoveredEntry[]>();
  const damaged = new Map<number, LogDamage[]>();
  for (const file of files) {
    for (const scanned of file.scan.entries) {
      const { header, offset } = scanned;
      const entries = shards.get(header.shard) ?? [];
      shards.set(header.shard, entries);
      const last = entries.at(-1)?.header;
      const follows =
        header.position === header.previousPosition + 1 &&
        header.epoch >= header.previousEpoch &&
        (last === undefined ||
          (header.previousPosition === last.position && header.previousEpoch === last.epoch));
      const at = { file: file.name, offset };
      const damages = damaged.get(header.shard) ?? [];
      if (scanned.isDamaged) {
        damages.push({ ...at, reason: "body is damaged", position: header.position });
      }
      if (!follows) {
        const reason = "entry does not follow the one before it";
        damages.push({ ...at, reason, position: header.previousPosition });
      }
      if (damages.length > 0) damaged.set(header.shard, damages);
      entries.push({ ...scanned, file: file.name });
    }
  }
  return { shards, damaged };
}

/** The error for damage, which names file and offset. */
export function damageError(damage: Omit<LogDamage, "position">, shard?: number): ServiceError {
  const fields = {
    file: damage.file,
    offset: damage.offset,
    ...(shard !== undefined && { shard }),
  };
  return new ServiceError("storage.damaged", `commit log: ${damage.reason}`, fields);
}
