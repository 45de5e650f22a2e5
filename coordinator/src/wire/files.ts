import { adler32 } from "./adler32.ts";
import { type Codec, int, long, type Of, record, string, uint, vector } from "./codec.ts";
import { WireError } from "./errors.ts";
import { entryBytesMax } from "./limits.ts";
import type { JuteReader } from "./reader.ts";
import { Acl } from "./records.ts";
import type { JuteWriter } from "./writer.ts";

/** The first 16 bytes of a txn log (`ZKLG`) or a snapshot (`ZKSN`). */
export const FileHeader = record({ magic: int, version: int, dbid: long });
export type FileHeader = Of<typeof FileHeader>;

export const fileHeaderBytes = 16;
export const fileVersion = 2;
export const logMagic = 0x5a4b4c47;
export const snapshotMagic = 0x5a4b534e;

/** Database id: logs carry 0 and snapshots -1 since ever; nobody checks it. */
export const logDbid = 0n;
export const snapshotDbid = -1n;

/** Closes each record of a log ("B"): with it missing, the last write was cut off. */
export const recordEndByte = 0x42;

/** Bytes around an entry in the log: checksum, length, end byte. */
export const logRecordOverhead = 13;

/** Reads the header of a file and refuses one of another kind or version. */
export function fileHeaderRead(from: JuteReader, magic: number): FileHeader {
  return fileHeaderCheck(FileHeader.read(from), magic);
}

export function fileHeaderCheck(header: FileHeader, magic: number): FileHeader {
  if (header.magic !== magic) {
    throw new WireError("magic", `the file starts with ${header.magic.toString(16)}`, 0);
  }
  if (header.version !== fileVersion) {
    throw new WireError("version", `the file is of version ${header.version}`, 4);
  }
  return header;
}

/** One record of a log around the bytes of an entry. */
export function logRecordWrite(to: JuteWriter, entry: Uint8Array): void {
  to.uint(0);
  to.uint(adler32(entry));
  to.buffer(entry);
  to.byte(recordEndByte);
}

/**
 * The bytes of the next entry, as a view; undefined at the zeros that fill the rest of a file or at its end.
 * Throws a `WireError`: truncated, length, end-byte or checksum. Whether that is a torn tail is for the caller to decide,
 * by what follows it.
 */
export function logRecordRead(from: JuteReader): Buffer | undefined {
  if (from.remaining === 0) return undefined;
  const at = from.position;
  const high = from.uint();
  const checksum = from.uint();
  const length = from.int();
  if (length === 0 && checksum === 0 && high === 0) return undefined;
  if (length <= 0 || length > entryBytesMax) {
    throw new WireError("length", `an entry of ${length} bytes`, at);
  }
  const entry = from.raw(length);
  if (from.byte() !== recordEndByte) {
    throw new WireError("end-byte", "an entry does not end with its end byte", at);
  }
  if (high !== 0 || adler32(entry) !== checksum) {
    throw new WireError("checksum", "an entry does not match its checksum", at);
  }
  return entry;
}

/** A snapshot holds, after its header: a vector of these, */
export const SnapshotSession = record({ sessionId: long, timeoutMs: int });
export type SnapshotSession = Of<typeof SnapshotSession>;
export const SnapshotSessions = vector(SnapshotSession);

/** a vector of these (nodes refer to them by number; -1 is world:anyone with all rights), */
export const SnapshotAcl = record({ number: long, acl: vector(Acl) });
export type SnapshotAcl = Of<typeof SnapshotAcl>;
export const SnapshotAcls = vector(SnapshotAcl);

/** What a znode keeps of its Stat; the rest follows from data and children. */
export interface StatPersisted {
  readonly czxid: number;
  readonly mzxid: number;
  readonly ctime: number;
  readonly mtime: number;
  readonly version: number;
  readonly cversion: number;
  readonly aversion: number;
  readonly ephemeralOwner: bigint;
  readonly pzxid: number;
}
/** Field by field, as snapshots are mostly of these: `record` costs several times as much. */
export const StatPersisted: Codec<StatPersisted> = {
  read: (from) => {
    const czxid = from.longNumber();
    const mzxid = from.longNumber();
    const ctime = from.longNumber();
    const mtime = from.longNumber();
    const version = from.int();
    const cversion = from.int();
    const aversion = from.int();
    const ephemeralOwner = from.long();
    const pzxid = from.longNumber();
    return { czxid, mzxid, ctime, mtime, version, cversion, aversion, ephemeralOwner, pzxid };
  },
  write: (to, stat) => {
    to.longNumber(stat.czxid);
    to.longNumber(stat.mzxid);
    to.longNumber(stat.ctime);
    to.longNumber(stat.mtime);
    to.int(stat.version);
    to.int(stat.cversion);
    to.int(stat.aversion);
    to.long(stat.ephemeralOwner);
    to.longNumber(stat.pzxid);
  },
};

/**
 * and then for each znode, parents first, its path (the root's is "") and this record. Path "/" ends them.
 */
export interface SnapshotNode {
  readonly data: Uint8Array | null;
  readonly acl: number;
  readonly stat: StatPersisted;
}
export const SnapshotNode: Codec<SnapshotNode> = {
  read: (from) => {
    const data = from.buffer();
    const acl = from.longNumber();
    return { data, acl, stat: StatPersisted.read(from) };
  },
  write: (to, { data, acl, stat }) => {
    to.buffer(data);
    to.longNumber(acl);
    StatPersisted.write(to, stat);
  },
};

/** The path after the last znode, and the one that closes each seal. */
export const snapshotPathEnd = "/";

/** The ACL number of world:anyone with all rights, which is not listed. */
export const snapshotAclOpen = -1n;

/** Follows the znodes: Adler-32 of every byte before it in the file, earlier seals included. */
export const SnapshotSeal = record({ checksum: long, path: string });
export type SnapshotSeal = Of<typeof SnapshotSeal>;

/**
 * After the first seal, when digests are kept, and sealed again. Version 2, in halves; version 1 wrote hexadecimal text.
 * Its zxid may be later than the snapshot's: ZooKeeper writes what it has by the time it comes to the end.
 */
export const SnapshotDigest = record({ zxid: long, version: int, high: uint, low: uint });
export type SnapshotDigest = Of<typeof SnapshotDigest>;

/** Last, and sealed again, since 3.9. */
export const SnapshotZxidLast = record({ zxid: long });
export type SnapshotZxidLast = Of<typeof SnapshotZxidLast>;
