import { join } from "node:path";
import type { Disk } from "./disk.ts";
import { fileEndHeader, headerEncode, type LogPoint, noShard } from "./entry.ts";
import { fileIdLike, fileIdNear } from "./head-repair.ts";
import { logFileHeadBytes } from "./limits.ts";
import {
  draftName,
  fileIdBytes,
  headDecode,
  type LogFileHead,
  logFileSequence,
  replaceHead,
  zeroFill,
} from "./log-file.ts";
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
  /** Its id is not known: nothing can be written to it. */
  readonly isHeadless?: true;
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
 * A file that is missing throws `storage.damaged`.
 */
export async function recoverLog(disk: Disk, directory: string): Promise<RecoveredLog> {
  const names = disk.readdir(directory);
  if (names.includes(draftName)) disk.unlink(join(directory, draftName));
  const logNames = names.filter((name) => logFileSequence(name) !== undefined).sort();
  const files = await readFiles(disk, directory, logNames);
  const tail = files.findLastIndex(isUsed);
  for (const [index, file] of files.entries()) {
    if (index > 0 && file.sequence !== files[index - 1]!.sequence + 1) {
      throw damageError({ file: file.name, offset: 0, reason: "file before this one is missing" });
    }
  }
  const last = Math.max(tail, 0);
  for (const [index, file] of files.entries()) {
    if (!file.scan.hasRest) continue;
    // Of a file that was followed by another all was on disk.
    if (index < last) files[index] = readFile(disk, directory, file.name, true) ?? file;
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

/**
 * Reads files, those with a damaged head with the id that their entries show. Deletes files without a head that never had an entry, and those
 * behind them: others are made in their place. All that a file had is lost where the id can not be told.
 */
async function readFiles(
  disk: Disk,
  directory: string,
  names: readonly string[],
): Promise<RecoveredFile[]> {
  const read: (RecoveredFile | undefined)[] = [];
  for (const name of names) {
    await mendHead(disk, directory, name, fileIdNear);
    read.push(readFile(disk, directory, name));
  }
  for (const [index, file] of read.entries()) {
    if (file !== undefined) continue;
    const name = names[index]!;
    const [before, behind] = [read.slice(0, index), read.slice(index + 1)];
    await mendHead(disk, directory, name, (bytes) => {
      const id = fileIdLike(bytes);
      const isOwn = (entries: readonly ScannedEntry[]): boolean =>
        logFileSequence(name) === 1 || behind.some(hasEntries) || continues(entries, before);
      return id !== undefined && isOwn(scanFile(bytes, id).entries) ? id : undefined;
    });
    read[index] = readFile(disk, directory, name);
  }
  const first = read.indexOf(undefined);
  if (first === -1) return read as RecoveredFile[];
  // A file gets its first entry when the one before it was ended.
  const isUnused = read[first - 1]?.isMarked === false && !read.slice(first).some(hasEntries);
  if (!isUnused) return read.map((file, index) => file ?? lostFile(disk, directory, names[index]!));
  // From the end, where files that are missing are none that were lost.
  for (const name of names.slice(first).reverse()) disk.unlink(join(directory, name));
  await disk.fsyncDirectory(directory);
  return read.slice(0, first) as RecoveredFile[];
}

function hasEntries(file: RecoveredFile | undefined): boolean {
  return file !== undefined && file.scan.entries.length > 0;
}

/** Whether one of the entries follows what a shard has last in the files before. One of a life before that was let go does not. */
function continues(
  entries: readonly ScannedEntry[],
  before: readonly (RecoveredFile | undefined)[],
): boolean {
  const ends = new Map<number, LogPoint>();
  for (const file of before) {
    for (const { header } of file?.scan.entries ?? []) ends.set(header.shard, header);
  }
  return entries.some(({ header }) => {
    const end = ends.get(header.shard);
    return end?.position === header.previousPosition && end.epoch === header.previousEpoch;
  });
}

/** Whether it has entries, or had any: the files behind the last one of these are spare. */
export function isUsed({ holes, scan }: RecoveredFile): boolean {
  return scan.entries.length > 0 || holes.length > 0;
}

/** Writes a damaged head again, where the id that it had can be told. */
async function mendHead(
  disk: Disk,
  directory: string,
  name: string,
  idOf: (bytes: Buffer) => Uint8Array | undefined,
): Promise<void> {
  const path = join(directory, name);
  const sequence = logFileSequence(name)!;
  if (headDecode(bytesOf(disk, path, logFileHeadBytes))?.sequence === sequence) return;
  const fileId = idOf(bytesOf(disk, path));
  if (fileId !== undefined) await replaceHead(disk, directory, { fileId, sequence });
}

/** Nothing in a file can be told to be its own without the id in its head: what lay there is lost, be it whose it may. */
function lostFile(disk: Disk, directory: string, name: string): RecoveredFile {
  const fd = disk.open(join(directory, name), "r");
  const bytes = disk.size(fd);
  disk.close(fd);
  const holes = [{ offset: logFileHeadBytes, end: Math.max(bytes, logFileHeadBytes) }];
  const scan = { entries: [], holes, end: "closed", endOffset: bytes, hasRest: false } as const;
  const head = { fileId: new Uint8Array(fileIdBytes), sequence: logFileSequence(name)! };
  return { ...head, name, bytes, scan, isMarked: true, holes, isHeadless: true };
}

function bytesOf(disk: Disk, path: string, bytesMax = Number.POSITIVE_INFINITY): Buffer {
  const fd = disk.open(path, "r");
  try {
    const bytes = Buffer.allocUnsafe(Math.min(bytesMax, disk.size(fd)));
    return bytes.subarray(0, disk.read(fd, bytes, 0));
  } finally {
    disk.close(fd);
  }
}

/** Undefined when its head is damaged. */
function readFile(
  disk: Disk,
  directory: string,
  name: string,
  isSettled = false,
): RecoveredFile | undefined {
  const bytes = bytesOf(disk, join(directory, name));
  const head = headDecode(bytes);
  if (head === undefined || head.sequence !== logFileSequence(name)) return undefined;
  const scan = scanFile(bytes, head.fileId, isSettled);
  const isMarked = scan.end === "closed" || isLikeMark(bytes, head.fileId, scan.endOffset);
  return { ...head, name, bytes: bytes.length, scan, isMarked, holes: scan.holes };
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
