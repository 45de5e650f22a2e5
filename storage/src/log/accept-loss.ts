import { join } from "node:path";
import { crc32 } from "node:zlib";
import { ServiceError } from "../../../kit/src/errors.ts";
import type { Disk } from "./disk.ts";
import {
  cutHeader,
  type EntryHeader,
  fileEndHeader,
  headerBytesOf,
  headerEncode,
  type LogPoint,
  noShard,
} from "./entry.ts";
import type { EpochFile, LostPlace, ShardEpochs } from "./epoch-file.ts";
import { bodyBytesMax } from "./limits.ts";
import { fileIdDraw, replaceHead } from "./log-file.ts";
import type { RecoveredEntry, RecoveredShard } from "./recovered-entries.ts";
import { type RecoveredFile, type RecoveredLog, recoverLog } from "./recovery.ts";
import type { LogHole } from "./scan.ts";

/** Entries of a shard that a log is without for good. */
export interface GivenUp {
  readonly shard: number;
  readonly from: number;
  readonly through: number;
}

/** What was given up, and the places in the log's files where it lay. */
export interface AcceptedLoss {
  readonly entries: readonly GivenUp[];
  readonly places: readonly {
    readonly file: string;
    readonly offset: number;
    /** 0 where the file is gone. */
    readonly bytes: number;
  }[];
}

/** What is known of a shard beside its log. */
export type EpochsOf = (shard: number) => Pick<ShardEpochs, "lineage" | "sealed">;

/** Of an entry that says nothing but where it stands. */
const emptyBytes = headerBytesOf(fileEndHeader());

/**
 * Gives up what a log of which nobody else has copies has lost: what lies in its files (`acceptLogLoss`), and what lay behind it. Nobody may have
 * log or epochs open. Throws `storage.damaged` where that cannot be done, and then has changed nothing.
 */
export async function acceptLoss(
  disk: Disk,
  directory: string,
  epochs: EpochFile,
): Promise<AcceptedLoss> {
  const { entries, places } = await acceptLogLoss(disk, directory, (shard) => epochs.of(shard));
  const { shards } = await recoverLog(disk, directory);
  const endOf = (shard: number): number => {
    const found = shards.get(shard);
    return found?.entries.at(-1)?.header.position ?? found?.base.position ?? 0;
  };
  const behind = await epochs.acceptLost(endOf);
  const isSame = (a: LostPlace, b: LostPlace): boolean =>
    a.file === b.file && a.offset === b.offset;
  const gone = behind.places.filter((lost, index, all) => {
    const isFirst = all.findIndex((each) => isSame(each, lost)) === index;
    return isFirst && !places.some((each) => isSame(each, lost));
  });
  return {
    entries: [...entries, ...behind.entries],
    places: [...places, ...gone.map((lost) => ({ ...lost, bytes: 0 }))],
  };
}

/**
 * Makes a damaged log whole without what it lost, so that its shards serve again with all that is left: entries that say
 * nothing take the places, in the file and in their shards, of those that are lost or damaged. Nobody may have the log open. Throws
 * `storage.damaged` where that cannot be done, and then has changed nothing.
 */
export async function acceptLogLoss(
  disk: Disk,
  directory: string,
  epochsOf: EpochsOf,
): Promise<AcceptedLoss> {
  const recovered = await recoverLog(disk, directory);
  const missing = [...recovered.shards].flatMap(([shard, entries]) =>
    missingOf(shard, entries, epochsOf(shard), recovered),
  );
  const files = recovered.files.map((file): RecoveredFile => {
    return file.isHeadless === true ? { ...file, fileId: fileIdDraw() } : file;
  });
  const places = files.flatMap((file) => file.holes.map((hole) => ({ file, hole })));
  const room = places.reduce((sum, { hole }) => sum + capacityOf(hole), 0);
  if (room < missing.length) {
    const message = "commit log lacks more entries than lay where it is damaged, restore a backup";
    throw new ServiceError("storage.damaged", message, { missing: missing.length, room });
  }
  const left = [...missing];
  const written: AcceptedLoss["places"][number][] = [];
  for (const { file, hole } of places) {
    const fillers = left.splice(0, capacityOf(hole));
    await write(disk, directory, file, hole.offset, filled(file, hole, fillers));
    // A head at last: until it is there, the file is what it was.
    if (file.isHeadless === true) await replaceHead(disk, directory, file);
    written.push({ file: file.name, offset: hole.offset, bytes: hole.end - hole.offset });
  }
  const damaged = [...recovered.shards.values()].flatMap(({ entries }) =>
    entries.filter(({ isDamaged }) => isDamaged),
  );
  for (const entry of damaged) {
    const file = recovered.files.find(({ sequence }) => sequence === entry.sequence)!;
    const bytes = emptied(disk, join(directory, file.name), file, entry);
    await write(disk, directory, file, entry.offset, bytes);
    written.push({ file: file.name, offset: entry.offset, bytes: bytes.length });
  }
  const all = [...missing, ...damaged.map(({ header }) => header)];
  return { entries: runsOf(all), places: written };
}

/** Headers of the entries that a shard lacks, of the epochs that its lineage says or that stand around them. */
function missingOf(
  shard: number,
  { base, entries }: RecoveredShard,
  { lineage, sealed }: ReturnType<EpochsOf>,
  { damaged }: RecoveredLog,
): EntryHeader[] {
  const headers: EntryHeader[] = [];
  const isHeadLost = damaged.get(shard)?.some(({ isLost, position }) => {
    return isLost === true && position === base.position;
  });
  let previous: LogPoint = isHeadLost === true ? (sealed ?? { epoch: 0, position: 0 }) : base;
  for (const { header } of entries) {
    const before = { epoch: header.previousEpoch, position: header.previousPosition };
    while (previous.position < before.position) {
      const position = previous.position + 1;
      const said = lineage.findLast(({ firstPosition }) => firstPosition <= position)?.epoch ?? 0;
      const isLast = position === before.position;
      const epoch = isLast ? before.epoch : Math.min(Math.max(said, previous.epoch), before.epoch);
      headers.push(emptyHeader(shard, { epoch, position }, previous, header));
      previous = { epoch, position };
    }
    if (previous.position !== before.position || previous.epoch !== before.epoch) {
      const message = "commit log contradicts itself, restore a backup";
      throw new ServiceError("storage.damaged", message, { shard, position: header.position });
    }
    previous = { epoch: header.epoch, position: header.position };
  }
  return headers;
}

function emptyHeader(
  shard: number,
  { epoch, position }: LogPoint,
  previous: LogPoint,
  next: Pick<EntryHeader, "receiptMs">,
): EntryHeader {
  return {
    ...fileEndHeader(),
    ...{ kind: "epoch-start", shard, epoch, position, receiptMs: next.receiptMs },
    ...{ previousEpoch: previous.epoch, previousPosition: previous.position },
  };
}

function capacityOf({ offset, end }: LogHole): number {
  return Math.floor((end - offset) / emptyBytes);
}

/** The bytes of a hole: the fillers, then what is of no shard; at a file's end its mark. */
function filled(file: RecoveredFile, hole: LogHole, fillers: readonly EntryHeader[]): Buffer {
  const groupOffset = hole.offset;
  const bytes = Buffer.alloc(hole.end - hole.offset);
  const isEnd = hole.end === file.bytes;
  let at = 0;
  const put = (header: EntryHeader, bodyLength: number): void => {
    const body = bytes.subarray(at + emptyBytes, at + emptyBytes + bodyLength);
    const whole = { ...header, bodyLength, bodyCrc: crc32(body) };
    headerEncode(whole, { fileId: file.fileId, groupOffset }).copy(bytes, at);
    at += emptyBytes + bodyLength;
  };
  for (const [i, header] of fillers.entries()) {
    const rest = bytes.length - at - emptyBytes;
    // What is too short for an entry is the last one's body.
    put(header, i === fillers.length - 1 && rest < emptyBytes ? rest : 0);
  }
  if (isEnd) {
    const mark = { fileId: file.fileId, groupOffset: hole.offset + at };
    if (at + emptyBytes <= bytes.length) headerEncode(fileEndHeader(), mark).copy(bytes, at);
    return bytes;
  }
  const zero = { epoch: 0, position: 0 };
  while (at < bytes.length) {
    const rest = bytes.length - at - emptyBytes;
    const isOne = rest <= bodyBytesMax;
    put(
      cutHeader("reset", noShard, { to: zero, from: zero }),
      isOne ? rest : bodyBytesMax - emptyBytes,
    );
  }
  return bytes;
}

/** An entry whose body is damaged as one that says nothing, with the same bytes behind it. */
function emptied(disk: Disk, path: string, file: RecoveredFile, entry: RecoveredEntry): Buffer {
  const { header, offset } = entry;
  const end = entry.bodyOffset + Math.ceil(header.bodyLength / 8) * 8;
  const bytes = Buffer.alloc(end - offset);
  const fd = disk.open(path, "r");
  try {
    disk.read(fd, bytes, offset);
  } finally {
    disk.close(fd);
  }
  const previous = { epoch: header.previousEpoch, position: header.previousPosition };
  const { class: its, committed, shard, tenant } = header;
  const empty = { ...emptyHeader(shard, header, previous, header), class: its, committed, tenant };
  // Without the name of a source it is shorter.
  const body = bytes.subarray(headerBytesOf(empty));
  const whole = { ...empty, bodyLength: body.length, bodyCrc: crc32(body) };
  headerEncode(whole, { fileId: file.fileId, groupOffset: offset }).copy(bytes);
  return bytes;
}

async function write(
  disk: Disk,
  directory: string,
  { name }: RecoveredFile,
  offset: number,
  bytes: Buffer,
): Promise<void> {
  const fd = disk.open(join(directory, name), "r+");
  try {
    await disk.write(fd, bytes, offset);
    await disk.fsync(fd);
  } finally {
    disk.close(fd);
  }
}

/** Positions that adjoin, as one. */
function runsOf(headers: readonly Pick<EntryHeader, "shard" | "position">[]): GivenUp[] {
  const runs: { shard: number; from: number; through: number }[] = [];
  const sorted = headers.toSorted((a, b) => a.shard - b.shard || a.position - b.position);
  for (const { shard, position } of sorted) {
    const last = runs.at(-1);
    if (last?.shard === shard && last.through + 1 === position) last.through = position;
    else runs.push({ shard, from: position, through: position });
  }
  return runs;
}
