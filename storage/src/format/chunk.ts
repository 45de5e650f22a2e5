import { constants, crc32, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import type { ByteReader } from "./byte-reader.ts";
import type { ByteWriter } from "./byte-writer.ts";
import { checkStored, damaged } from "./damage.ts";
import { chunkBytesMax, chunkBytesWorthPacking } from "./limits.ts";

/** Where a chunk lies, from the start of its block, and how it is checked and unpacked. */
export interface ChunkRef {
  readonly at: number;
  /** Bytes as stored. Equal to `rawLength`: not compressed. */
  readonly length: number;
  readonly rawLength: number;
  /** CRC-32 of the stored bytes. */
  readonly crc: number;
}

/** Collects the chunks of one block. */
export class ChunkWriter {
  readonly chunks: Buffer[] = [];
  readonly #level: number;
  #length = 0;

  /** `level` is zstd's. */
  constructor(level: number) {
    this.#level = level;
  }

  get byteLength(): number {
    return this.#length;
  }

  /** Adds a chunk, compressed if that helps. The bytes are kept as they are if not: they must stay. */
  add(raw: Buffer): ChunkRef {
    return this.#add(raw, pack(raw, this.#level));
  }

  /** As `add`, but the bytes are the caller's to change. */
  addCopy(raw: Buffer): ChunkRef {
    const stored = pack(raw, this.#level);
    return this.#add(raw, stored === raw ? Buffer.from(raw) : stored);
  }

  /** Adds a chunk as it is. */
  addRaw(raw: Buffer): ChunkRef {
    return this.#add(raw, raw);
  }

  #add(raw: Buffer, stored: Buffer): ChunkRef {
    const ref = {
      at: this.#length,
      length: stored.length,
      rawLength: raw.length,
      crc: crc32(stored),
    };
    this.chunks.push(stored);
    this.#length += stored.length;
    return ref;
  }
}

/** The bytes by zstd, or themselves if that does not save a sixteenth. */
export function pack(raw: Buffer, level: number): Buffer {
  if (raw.length < chunkBytesWorthPacking) return raw;
  const packed = zstdCompressSync(raw, {
    // The result comes in pieces of this size; one piece spares putting them together.
    chunkSize: Math.max(1_024, raw.length + (raw.length >> 7) + 64),
    pledgedSrcSize: raw.length,
    params: { [constants.ZSTD_c_compressionLevel]: level },
  });
  // A view would hold on to the piece it is cut from.
  return packed.length <= raw.length - (raw.length >> 4) ? Buffer.from(packed) : raw;
}

/** The raw bytes of a stored chunk, checked. */
export function unpack(stored: Buffer, ref: Omit<ChunkRef, "at">): Buffer {
  checkStored(stored.length === ref.length, "a chunk is cut short");
  checkStored(crc32(stored) === ref.crc, "a chunk does not match its checksum");
  if (ref.length === ref.rawLength) return stored;
  checkStored(ref.rawLength <= chunkBytesMax, "a chunk is too large", { raw: ref.rawLength });
  let raw: Buffer;
  try {
    raw = zstdDecompressSync(stored, {
      // One byte is left over: a piece that is full would be followed by another, and a call that finds nothing more.
      chunkSize: Math.max(64, ref.rawLength + 1),
      maxOutputLength: Math.max(64, ref.rawLength),
    });
  } catch (cause) {
    throw damaged("a chunk cannot be decompressed", { reason: String(cause) });
  }
  checkStored(raw.length === ref.rawLength, "a chunk has another length than it says");
  return raw;
}

export function writeChunkRef(out: ByteWriter, ref: ChunkRef): void {
  out.varint(ref.at);
  out.varint(ref.length);
  out.varint(ref.rawLength);
  out.u32(ref.crc);
}

export function readChunkRef(from: ByteReader): ChunkRef {
  return { at: from.varint(), length: from.varint(), rawLength: from.varint(), crc: from.u32() };
}
