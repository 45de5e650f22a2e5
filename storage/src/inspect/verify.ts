import { readFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { messageOf, ServiceError } from "../../../kit/src/errors.ts";
import { verifyBatch } from "../format/batch.ts";
import { fileHeaderBytes } from "../format/footer.ts";
import { passCacheBytes } from "../format/limits.ts";
import { nodeDisk } from "../log/disk.ts";
import { EpochFile } from "../log/epoch-file.ts";
import { BlockCache } from "../segment/block-cache.ts";
import { openSegment } from "../segment/reader.ts";
import { checkpointDecode } from "../shard/checkpoint.ts";
import { type LogFileRead, readLogFile } from "./log-reading.ts";
import type { StoredFile } from "./stored-files.ts";

/** Bytes that are not what was written. */
export interface Finding {
  readonly reason: string;
  /** Of a segment: the block's ordinal, and what of it. */
  readonly block?: number;
  readonly column?: string;
  /** Of a log file: where. */
  readonly offset?: number;
  readonly shard?: number;
}

/** What came out for one file. */
export interface Verified {
  readonly file: StoredFile;
  /** It was deleted since it was listed, as a running node does after a merge. */
  readonly isGone: boolean;
  readonly records: number;
  /** Of these, those in blocks and log entries of which something is damaged; all others are whole. */
  readonly recordsDamaged: number;
  readonly findings: readonly Finding[];
  /** What is no damage and still of interest. */
  readonly note?: string;
}

/** A log that is written meanwhile may be read half before and half after: then it is read again. */
const logReadsMax = 5;

/**
 * Reads every byte of files and checks it against its checksum, one file at a time; changes nothing. Damage is a
 * finding and not thrown. With `isLive`, a node may be writing meanwhile.
 */
export function* verifyFiles(files: readonly StoredFile[], isLive: boolean): Generator<Verified> {
  const logs = files.filter(({ kind }) => kind === "log");
  for (const file of files) if (file.kind !== "log") yield verifyAlone(file);
  yield* verifyLog(logs, isLive);
}

function verifyAlone(file: StoredFile): Verified {
  try {
    switch (file.kind) {
      case "segment":
        return verifySegmentFile(file);
      case "checkpoint":
        checkpointDecode(readFileSync(file.path), file.path);
        return whole(file);
      default:
        EpochFile.open(nodeDisk, dirname(file.path));
        return whole(file);
    }
  } catch (thrown) {
    return isGone(thrown, file)
      ? { ...whole(file), isGone: true }
      : { ...whole(file), findings: [findingOf(thrown)] };
  }
}

function verifySegmentFile(file: StoredFile): Verified {
  // Every block is read once, but its columns share chunks.
  const segment = openSegment(file.path, new BlockCache(passCacheBytes));
  const findings: Finding[] = [];
  let records = 0;
  let recordsDamaged = 0;
  try {
    const { footer } = segment;
    if (!basename(file.path).endsWith(footer.uuid)) {
      findings.push({ reason: `the file holds segment ${footer.uuid}` });
    }
    if (file.shard !== undefined && file.shard !== footer.shard) {
      findings.push({ reason: `the file is of shard ${footer.shard}` });
    }
    let end = fileHeaderBytes;
    for (const block of segment.blocks()) {
      const { at, byteLength, rowCount } = block.meta;
      if (at !== end) findings.push({ reason: "the blocks do not adjoin", block: block.ordinal });
      end = at + byteLength;
      records += rowCount;
      try {
        block.verify();
      } catch (thrown) {
        recordsDamaged += rowCount;
        findings.push(findingOf(thrown));
      }
    }
  } finally {
    segment.close();
  }
  return { file, isGone: false, records, recordsDamaged, findings };
}

interface LogVerified extends Pick<Verified, "file" | "records" | "recordsDamaged"> {
  /** Undefined for a file that cannot be read. */
  readonly read: LogFileRead | undefined;
}

/** The files of a log belong together: only the last that has entries may end without its mark. */
function* verifyLog(files: readonly StoredFile[], isLive: boolean): Generator<Verified> {
  const reads: LogVerified[] = [];
  const found = new Map<StoredFile, Finding[]>();
  const gone = new Set<StoredFile>();
  for (const file of files) {
    const findings: Finding[] = [];
    found.set(file, findings);
    try {
      const read = readSettled(file, isLive);
      findings.push(...findingsOf(read));
      const { entries } = read.scan;
      const damagedAt = new Set(findings.map(({ offset }) => offset));
      const damaged = entries.filter(({ offset }) => damagedAt.has(offset));
      const counts = { records: rowsOf(entries), recordsDamaged: rowsOf(damaged) };
      // Its bytes are needed no more.
      reads.push({ file, ...counts, read: { ...read, bytes: Buffer.alloc(0) } });
    } catch (thrown) {
      if (isGone(thrown, file)) gone.add(file);
      else findings.push(findingOf(thrown));
      reads.push({ file, records: 0, recordsDamaged: 0, read: undefined });
    }
  }
  if (!isLive) findGaps(reads, found);
  for (const { file, records, recordsDamaged, read } of reads) {
    const isTorn = read?.scan.hasRest === true;
    const note = isTorn ? "ends with what was never acknowledged; the next start wipes it" : "";
    const findings = found.get(file) ?? [];
    const told = { findings, ...(note !== "" && { note }) };
    yield { file, isGone: gone.has(file), records, recordsDamaged, ...told };
  }
}

function rowsOf(entries: LogFileRead["scan"]["entries"]): number {
  return entries.reduce((sum, { header }) => sum + header.rows, 0);
}

function readSettled(file: StoredFile, isLive: boolean): LogFileRead {
  let read = readLogFile(file.path);
  for (let i = 1; isLive && i < logReadsMax && findingsOf(read).length > 0; i++) {
    read = readLogFile(file.path);
  }
  return read;
}

function findingsOf({ bytes, scan }: LogFileRead): Finding[] {
  const findings: Finding[] = [];
  for (const { header, offset, bodyOffset, isDamaged } of scan.entries) {
    const at = { offset, shard: header.shard };
    if (isDamaged) findings.push({ reason: "the body of an entry is damaged", ...at });
    else if (header.kind === "records") {
      try {
        verifyBatch(bytes, bodyOffset, header.bodyLength);
      } catch (thrown) {
        findings.push({ ...findingOf(thrown), ...at });
      }
    }
  }
  for (const { offset } of scan.holes) findings.push({ reason: "an entry is damaged", offset });
  return findings;
}

function findGaps(
  reads: readonly { readonly file: StoredFile; readonly read: LogFileRead | undefined }[],
  found: ReadonlyMap<StoredFile, Finding[]>,
): void {
  const tail = reads.findLastIndex(({ read }) => (read?.scan.entries.length ?? 0) > 0);
  for (const [index, { file, read }] of reads.entries()) {
    const before = reads[index - 1]?.read;
    if (read === undefined) continue;
    if (before !== undefined && read.sequence !== before.sequence + 1) {
      found.get(file)?.push({ reason: "the file before this one is missing" });
    }
    if (index < tail && read.scan.end === "open") {
      const offset = read.scan.endOffset;
      found.get(file)?.push({ reason: "entries end before the file does", offset });
    }
  }
}

function whole(file: StoredFile): Verified {
  return { file, isGone: false, records: 0, recordsDamaged: 0, findings: [] };
}

function findingOf(thrown: unknown): Finding {
  if (!(thrown instanceof ServiceError)) return { reason: messageOf(thrown) };
  const { block, column } = thrown.fields;
  return {
    reason: thrown.message,
    ...(typeof block === "number" && { block }),
    ...(typeof column === "string" && { column }),
  };
}

/** Whether the file is not there, as opposed to not right. */
function isGone(thrown: unknown, { path }: StoredFile): boolean {
  if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return true;
  return (
    thrown instanceof ServiceError && !nodeDisk.readdir(dirname(path)).includes(basename(path))
  );
}
