import { join } from "node:path";
import { assert } from "../../../kit/src/assert.ts";
import type { Disk } from "./disk.ts";
import { fileEndHeader, headerEncode, noShard } from "./entry.ts";
import { logFileHeadBytes } from "./limits.ts";
import { draftName, headDecode, type LogFileHead, logFileSequence, zeroFill } from "./log-file.ts";
import {
  damageError,
  type FileHole,
  type LogDamage,
  RecoveredEntries,
  type RecoveredShard,
} from "./recovered-entries.ts";
import { type FileScan, type LogHole, type ScannedEntry, scanFile } from "./scan.ts";

/** A log file that was read at start. */
export interface RecoveredFile extends LogFileHead {
  readonly name: string;
  readonly bytes: number;
  readonly scan: FileScan;
  /** It has the mark of a file that was followed by another, though perhaps not whole. */
  readonly isMarked: boolean;
  /** Those of its scan, and what is lost of its end. */
  readonly holes: readonly LogHole[];
}

export interface RecoveredLog {
  /** Oldest first; the last with entries may be written on, those behind it are spare. */
  readonly files: readonly RecoveredFile[];
  readonly shards: ReadonlyMap<number, RecoveredShard>;
  /** What is wrong with shards, also with those of which the log has nothing: they must not be served unless it is all sealed. */
  readonly damaged: DamagedShards;
}

/** What is wrong with shards that are known; `get` says it of all others too, which are not counted. */
export class DamagedShards extends Map<number, readonly LogDamage[]> {
  readonly #known: Set<number>;
  readonly #others: readonly LogDamage[];

  constructor(known: Iterable<number>, others: readonly LogDamage[]) {
    super();
    this.#known = new Set(known);
    this.#others = others;
  }

  /** All that the log had of the shard is gone, the damage with it. */
  emptied(shard: number): void {
    this.#known.add(shard);
    this.delete(shard);
  }

  override get(shard: number): readonly LogDamage[] | undefined {
    const isOther = !this.#known.has(shard) && this.#others.length > 0;
    return isOther ? this.#others : super.get(shard);
  }
}

/**
 * Reads a log's directory. The rest of a group that was never synced is wiped from the tail. Damage stops the shards that it
 * may have taken entries of: of a body the one that its header names, of anything else those that no later entry clears.
 * A file that may have entries and is without its head, or one that is missing, throws `storage.damaged`.
 */
export async function recoverLog(disk: Disk, directory: string): Promise<RecoveredLog> {
  const names = disk.readdir(directory);
  if (names.includes(draftName)) disk.unlink(join(directory, draftName));
  const logNames = names.filter((name) => logFileSequence(name) !== undefined).sort();
  const files = await readFiles(disk, directory, logNames);
  const tail = files.findLastIndex((file) => file.scan.entries.length > 0);
  for (const [index, file] of files.entries()) {
    if (index > 0 && file.sequence !== files[index - 1]!.sequence + 1) {
      throw damageError({ file: file.name, offset: 0, reason: "file before this one is missing" });
    }
  }
  const last = Math.max(tail, 0);
  for (const [index, file] of files.entries()) {
    if (!file.scan.hasRest) continue;
    // Of a file that was followed by another all was on disk.
    if (index < last) files[index] = readFile(disk, directory, file.name, true);
    else await wipeRest(disk, directory, file);
  }
  const whole = files.map((file, index) => (index < last ? withEnd(file) : file));
  return { files: whole, ...chain(whole) };
}

/**
 * A file with what of its end is lost: it was ended by its mark before the next got an entry. The mark itself says nothing: where it
 * can be made out, nothing is lost.
 */
function withEnd(file: RecoveredFile): RecoveredFile {
  if (file.isMarked) return file;
  return { ...file, holes: [...file.holes, { offset: file.scan.endOffset, end: file.bytes }] };
}

/** Deletes files without a head that never had an entry, and those behind them: others are made in their place. */
async function readFiles(
  disk: Disk,
  directory: string,
  names: readonly string[],
): Promise<RecoveredFile[]> {
  const read = names.map((name) => {
    return hasHead(disk, directory, name) ? readFile(disk, directory, name) : undefined;
  });
  const first = read.indexOf(undefined);
  if (first === -1) return read as RecoveredFile[];
  const [before, behind] = [read[first - 1], read.slice(first)];
  // A file gets its first entry when the one before it was ended.
  const isUnused =
    before?.isMarked === false && behind.every((file) => (file?.scan.entries.length ?? 0) === 0);
  if (!isUnused) throw damageError({ file: names[first]!, offset: 0, reason: headReason });
  // From the end, where files that are missing are none that were lost.
  for (const name of names.slice(first).reverse()) disk.unlink(join(directory, name));
  await disk.fsyncDirectory(directory);
  return read.slice(0, first) as RecoveredFile[];
}

/** Nothing in a file can be told to be its own without the id in its head. */
const headReason =
  "head of the file is damaged, without which nothing in it can be read; keep the directory, and start the node with " +
  "an empty one where others have copies of its shards, else with a backup";

function hasHead(disk: Disk, directory: string, name: string): boolean {
  const fd = disk.open(join(directory, name), "r");
  try {
    const bytes = Buffer.alloc(logFileHeadBytes);
    const got = disk.read(fd, bytes, 0);
    return headDecode(bytes.subarray(0, got))?.sequence === logFileSequence(name);
  } finally {
    disk.close(fd);
  }
}

function readFile(disk: Disk, directory: string, name: string, isSettled = false): RecoveredFile {
  const fd = disk.open(join(directory, name), "r");
  try {
    const bytes = Buffer.allocUnsafe(disk.size(fd));
    const got = disk.read(fd, bytes, 0);
    const head = headDecode(bytes.subarray(0, got));
    assert(head !== undefined, "a file is read that has its head");
    const scan = scanFile(bytes.subarray(0, got), head.fileId, isSettled);
    const isMarked = scan.end === "closed" || isLikeMark(bytes, head.fileId, scan.endOffset);
    return { ...head, name, bytes: got, scan, isMarked, holes: scan.holes };
  } finally {
    disk.close(fd);
  }
}

/** Whether the end mark stands at an offset, but for a few bytes: any entry differs in more. */
function isLikeMark(bytes: Buffer, fileId: Uint8Array, offset: number): boolean {
  const mark = headerEncode(fileEndHeader(), { fileId, groupOffset: offset });
  const found = bytes.subarray(offset, offset + mark.length);
  return found.length === mark.length && mark.filter((byte, i) => byte !== found[i]).length <= 4;
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
  const passed: FileHole[] = [];
  for (const file of files) {
    for (const met of inOrder(file.scan.entries, file.holes)) {
      if ("header" in met) {
        const { shard } = met.header;
        const entries = found.get(shard) ?? new RecoveredEntries(passed);
        found.set(shard, entries);
        entries.add({ ...met, file: file.name, sequence: file.sequence });
      } else {
        const hole = { ...met, file: file.name };
        passed.push(hole);
        for (const entries of found.values()) entries.hole(hole);
      }
    }
  }
  found.delete(noShard);
  const damaged = new DamagedShards(found.keys(), new RecoveredEntries(passed).damages());
  for (const [shard, entries] of found) {
    const damages = entries.damages();
    if (damages.length > 0) damaged.set(shard, damages);
  }
  return { shards: found, damaged };
}

/** Entries and holes as they lie in a file. */
function inOrder(
  entries: readonly ScannedEntry[],
  holes: readonly LogHole[],
): readonly (ScannedEntry | LogHole)[] {
  if (holes.length === 0) return entries;
  return [...entries, ...holes].sort((a, b) => a.offset - b.offset);
}
