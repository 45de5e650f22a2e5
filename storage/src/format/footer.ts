import { crc32 } from "node:zlib";
import type { Moment } from "../../../kit/src/time.ts";
import { ByteReader } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";
import { type ChunkRef, pack, readChunkRef, unpack, writeChunkRef } from "./chunk.ts";
import { checkStored } from "./damage.ts";
import { blockRowsMax, headerBytesMax, segmentBlocksMax } from "./limits.ts";

/**
 * The end of a segment file: the footer, and behind it the trailer of fixed length
 * `u32 footer's stored length · u32 its raw length · u32 its crc · u32 version · 8 bytes magic · u32 crc
 * of the trailer before`. The file begins with the magic, the version and 4 bytes 0.
 */
export const formatVersion = 2;
/** All of these are read. */
const formatVersions: readonly number[] = [1, formatVersion];
export const segmentMagic = Buffer.from("LOGKSEG\n", "latin1");
export const fileHeaderBytes = 16;
export const trailerBytes = 28;

/** What one tenant, retention class and kind of stream has in a file. */
export interface PartitionMeta {
  readonly tenant: string;
  readonly class: string;
  readonly internal: boolean;
  readonly rows: number;
  /** Inclusive. */
  readonly timeMin: Moment;
  readonly timeMax: Moment;
  /** The latest receipt of any of the records' batches, milliseconds since the epoch. */
  readonly receiptMsMax: number;
}

export interface BlockMeta {
  /** Index in `partitions`. */
  readonly partition: number;
  /** The UTC day of the records' times, bounded around their receipt; days since the epoch. */
  readonly day: number;
  readonly rowCount: number;
  readonly timeMin: Moment;
  readonly timeMax: Moment;
  readonly positionMin: number;
  readonly positionMax: number;
  /** From the start of the file, and of all its chunks. */
  readonly at: number;
  readonly byteLength: number;
  /** Of the values before encoding. */
  readonly rawBytes: number;
  /** Its header, from the start of the block. */
  readonly header: ChunkRef;
}

export interface Footer {
  readonly uuid: string;
  readonly shard: number;
  readonly epoch: number;
  /** 0 for a seal, more for a merge. */
  readonly level: number;
  /** Entries of the shard's log that it covers, both inclusive. */
  readonly positionFrom: number;
  readonly positionThrough: number;
  /** Uuids of the segments it was merged of. */
  readonly replaces: readonly string[];
  readonly partitions: readonly PartitionMeta[];
  /** By partition, and in a partition by day and time. */
  readonly blocks: readonly BlockMeta[];
}

export function fileHeader(version = formatVersion): Buffer {
  const header = Buffer.alloc(fileHeaderBytes);
  segmentMagic.copy(header);
  header.writeUInt32LE(version, 8);
  return header;
}

/** The version of a file that begins so; throws unless this program reads it. */
export function parseFileHeader(header: Buffer): number {
  const isSegment = header.length === fileHeaderBytes && segmentMagic.equals(header.subarray(0, 8));
  checkStored(isSegment, "this is not a segment file");
  const version = header.readUInt32LE(8);
  const isKnown = formatVersions.includes(version) && header.equals(fileHeader(version));
  checkStored(isKnown, "a segment file is of an unknown version", { version });
  return version;
}

/** The footer and the trailer. */
export function printFooter(footer: Footer): Buffer {
  const out = new ByteWriter();
  out.text(footer.uuid);
  out.varint(footer.shard);
  out.varint(footer.epoch);
  out.varint(footer.level);
  out.varint(footer.positionFrom);
  out.varint(footer.positionThrough);
  out.varint(footer.replaces.length);
  for (const uuid of footer.replaces) out.text(uuid);
  out.varint(footer.partitions.length);
  for (const partition of footer.partitions) writePartition(out, partition);
  out.varint(footer.blocks.length);
  for (const block of footer.blocks) writeBlock(out, block);
  const raw = Buffer.from(out.bytes);
  const stored = pack(raw, 3);
  const trailer = Buffer.alloc(trailerBytes);
  trailer.writeUInt32LE(stored.length, 0);
  trailer.writeUInt32LE(raw.length, 4);
  trailer.writeUInt32LE(crc32(stored), 8);
  trailer.writeUInt32LE(formatVersion, 12);
  segmentMagic.copy(trailer, 16);
  trailer.writeUInt32LE(crc32(trailer.subarray(0, 24)), 24);
  return Buffer.concat([stored, trailer]);
}

/** How the footer before a trailer is stored. */
export function parseTrailer(trailer: Buffer, fileVersion: number): Omit<ChunkRef, "at"> {
  const isTrailer =
    trailer.length === trailerBytes && segmentMagic.equals(trailer.subarray(16, 24));
  checkStored(isTrailer, "a segment file has no end");
  checkStored(crc32(trailer.subarray(0, 24)) === trailer.readUInt32LE(24), "a trailer is damaged");
  const version = trailer.readUInt32LE(12);
  checkStored(version === fileVersion, "a segment file's ends are of two versions", { version });
  const rawLength = trailer.readUInt32LE(4);
  checkStored(rawLength <= headerBytesMax, "a footer is too large", { rawLength });
  return { length: trailer.readUInt32LE(0), rawLength, crc: trailer.readUInt32LE(8) };
}

/** The footer from its stored bytes; `blocksEnd` is where it begins in the file. */
export function parseFooter(stored: Buffer, ref: Omit<ChunkRef, "at">, blocksEnd: number): Footer {
  const from = new ByteReader(unpack(stored, ref));
  const head = {
    uuid: from.text(),
    shard: from.varint(),
    epoch: from.varint(),
    level: from.varint(),
    positionFrom: from.varint(),
    positionThrough: from.varint(),
  };
  const replaces = Array.from({ length: from.count(segmentBlocksMax) }, () => from.text());
  const partitionCount = from.count(segmentBlocksMax);
  const partitions = Array.from({ length: partitionCount }, () => readPartition(from));
  const blockCount = from.count(segmentBlocksMax);
  const blocks = Array.from({ length: blockCount }, () => readBlock(from));
  for (const block of blocks) {
    const end = block.header.at + block.header.length;
    const fits = block.at >= fileHeaderBytes && block.at + block.byteLength <= blocksEnd;
    checkStored(fits && end <= block.byteLength, "a block lies beyond its file");
    checkStored(block.partition < partitionCount, "a block is of no partition");
    checkStored(block.header.rawLength <= headerBytesMax, "a block's header is too large");
  }
  checkStored(from.isAtEnd, "a footer is longer than what it says");
  return { ...head, replaces, partitions, blocks };
}

function writePartition(out: ByteWriter, partition: PartitionMeta): void {
  out.text(partition.tenant);
  out.text(partition.class);
  out.varint(partition.internal ? 1 : 0);
  out.varint(partition.rows);
  writeMoment(out, partition.timeMin);
  writeMoment(out, partition.timeMax);
  out.f64(partition.receiptMsMax);
}

function readPartition(from: ByteReader): PartitionMeta {
  return {
    tenant: from.text(),
    class: from.text(),
    internal: from.count(1) === 1,
    rows: from.varint(),
    timeMin: readMoment(from),
    timeMax: readMoment(from),
    receiptMsMax: from.f64(),
  };
}

function writeBlock(out: ByteWriter, block: BlockMeta): void {
  out.varint(block.partition);
  out.f64(block.day);
  out.varint(block.rowCount);
  writeMoment(out, block.timeMin);
  writeMoment(out, block.timeMax);
  out.varint(block.positionMin);
  out.varint(block.positionMax);
  out.varint(block.at);
  out.varint(block.byteLength);
  out.varint(block.rawBytes);
  writeChunkRef(out, block.header);
}

function readBlock(from: ByteReader): BlockMeta {
  return {
    partition: from.varint(),
    day: from.f64(),
    rowCount: from.count(blockRowsMax),
    timeMin: readMoment(from),
    timeMax: readMoment(from),
    positionMin: from.varint(),
    positionMax: from.varint(),
    at: from.varint(),
    byteLength: from.varint(),
    rawBytes: from.varint(),
    header: readChunkRef(from),
  };
}

function writeMoment(out: ByteWriter, { ms, ns }: Moment): void {
  out.f64(ms);
  out.varint(ns);
}

function readMoment(from: ByteReader): Moment {
  return { ms: from.f64(), ns: from.varint() };
}
