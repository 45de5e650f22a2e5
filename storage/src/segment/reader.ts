import * as fs from "node:fs";
import { ServiceError } from "../../../kit/src/errors.ts";
import { type Moment, momentCompare } from "../../../kit/src/time.ts";
import { checkStored, damaged } from "../format/damage.ts";
import {
  type Footer,
  fileHeaderBytes,
  type PartitionMeta,
  parseFileHeader,
  parseFooter,
  parseTrailer,
  trailerBytes,
} from "../format/footer.ts";
import { frameBytes, passCacheBytes } from "../format/limits.ts";
import { BlockCache } from "./block-cache.ts";
import { guarded } from "./new-file.ts";
import { type BlockBytes, SegmentBlock } from "./segment-block.ts";

/** Which blocks of a segment to read; what is left out does not restrict. */
export interface BlockFilter {
  readonly tenant?: string;
  /** Blocks that have records at or after this … */
  readonly timeFrom?: Moment;
  /** … and before this. */
  readonly timeTo?: Moment;
  /** Ordinals of blocks set aside as damaged. */
  readonly without?: ReadonlySet<number>;
}

/**
 * An open segment file. After `close` it holds no descriptor, but blocks handed out, and columns of them
 * that a cache kept, go on: each read opens the file for itself.
 */
export interface Segment {
  readonly path: string;
  readonly footer: Footer;
  /** Bytes of the file. */
  readonly bytes: number;
  partitionOf(block: SegmentBlock): PartitionMeta;
  blocks(filter?: BlockFilter): Iterable<SegmentBlock>;
  close(): void;
}

/**
 * Opens a segment file and reads its footer. Throws `storage.damaged` when it is not whole, and
 * `storage.failed` when it cannot be read. Columns are kept in the cache, which one worker shares.
 */
export function openSegment(path: string, cache: BlockCache = new BlockCache()): Segment {
  // One that somebody has removed is as lost as one that is cut short, and others are served.
  checkStored(fs.existsSync(path), "a segment file is not there", { file: path });
  const fd = guarded(path, () => fs.openSync(path, "r"));
  const file = new OpenFile(path, fd);
  try {
    return new OpenSegment(file, cache, readFooter(file));
  } catch (thrown) {
    file.close();
    if (thrown instanceof ServiceError && thrown.code === "storage.damaged") {
      throw damaged(thrown.message, { ...thrown.fields, file: path });
    }
    throw thrown;
  }
}

/** Reads a whole segment file, checks every byte of it and decodes every column; throws as `openSegment` and its blocks do. */
export function verifySegment(path: string): Footer {
  return eachBlock(path, (block) => block.verify());
}

/**
 * Reads a whole segment file and compares every byte with its checksum, as `verifySegment` does, but decodes no column:
 * that costs as much as to encode it, and what writes files is tested to read them back.
 */
export function checkSegment(path: string): Footer {
  return eachBlock(path, (block) => block.check());
}

function eachBlock(path: string, look: (block: SegmentBlock) => void): Footer {
  // Every block is read once, but its columns share chunks.
  const segment = openSegment(path, new BlockCache(passCacheBytes));
  try {
    let end = fileHeaderBytes;
    for (const block of segment.blocks()) {
      const { at, byteLength } = block.meta;
      checkStored(at === end, "the blocks of a segment do not adjoin", { file: path });
      end = at + byteLength;
      look(block);
    }
    return segment.footer;
  } finally {
    segment.close();
  }
}

/** For stored bytes that are unpacked at once, of this thread: twice a frame, since few chunks are longer. */
const peeked = Buffer.allocUnsafeSlow(2 * frameBytes);

class OpenFile implements BlockBytes {
  readonly path: string;
  readonly size: number;
  version = 0;
  cacheKey: string;
  #fd: number | undefined;

  constructor(path: string, fd: number) {
    this.path = path;
    this.cacheKey = path;
    this.#fd = fd;
    this.size = guarded(path, () => fs.fstatSync(fd).size);
  }

  read(at: number, length: number): Buffer {
    return this.#read(at, length, () => Buffer.allocUnsafeSlow(length));
  }

  peek(at: number, length: number): Buffer {
    if (length > peeked.length) return this.read(at, length);
    return this.#read(at, length, () => peeked.subarray(0, length));
  }

  #read(at: number, length: number, into: () => Buffer): Buffer {
    checkStored(at >= 0 && at + length <= this.size, "a segment file is cut short");
    if (this.#fd !== undefined) return this.#readFrom(this.#fd, at, into());
    // A column that the cache kept, or a query still holds, decodes more of itself after the close.
    const fd = guarded(this.path, () => fs.openSync(this.path, "r"));
    try {
      return this.#readFrom(fd, at, into());
    } finally {
      fs.closeSync(fd);
    }
  }

  #readFrom(fd: number, at: number, bytes: Buffer): Buffer {
    let done = 0;
    while (done < bytes.length) {
      const left = bytes.length - done;
      const got = guarded(this.path, () => fs.readSync(fd, bytes, done, left, at + done));
      checkStored(got > 0, "a segment file is cut short");
      done += got;
    }
    return bytes;
  }

  close(): void {
    if (this.#fd !== undefined) fs.closeSync(this.#fd);
    this.#fd = undefined;
  }
}

function readFooter(file: OpenFile): Footer {
  checkStored(file.size >= fileHeaderBytes + trailerBytes, "a segment file is cut short");
  file.version = parseFileHeader(file.read(0, fileHeaderBytes));
  const ref = parseTrailer(file.read(file.size - trailerBytes, trailerBytes), file.version);
  const blocksEnd = file.size - trailerBytes - ref.length;
  checkStored(blocksEnd >= fileHeaderBytes, "a footer is longer than its file");
  const footer = parseFooter(file.read(blocksEnd, ref.length), ref, blocksEnd);
  // The uuid is of this content for all time, the path is not.
  file.cacheKey = footer.uuid;
  return footer;
}

class OpenSegment implements Segment {
  readonly footer: Footer;
  readonly #file: OpenFile;
  readonly #cache: BlockCache;

  constructor(file: OpenFile, cache: BlockCache, footer: Footer) {
    this.#file = file;
    this.#cache = cache;
    this.footer = footer;
  }

  get path(): string {
    return this.#file.path;
  }

  get bytes(): number {
    return this.#file.size;
  }

  partitionOf(block: SegmentBlock): PartitionMeta {
    return this.footer.partitions[block.meta.partition]!;
  }

  *blocks({ tenant, timeFrom, timeTo, without }: BlockFilter = {}): Iterable<SegmentBlock> {
    for (const [ordinal, meta] of this.footer.blocks.entries()) {
      if (tenant !== undefined && this.footer.partitions[meta.partition]!.tenant !== tenant)
        continue;
      if (timeFrom !== undefined && momentCompare(meta.timeMax, timeFrom) < 0) continue;
      if (timeTo !== undefined && momentCompare(meta.timeMin, timeTo) >= 0) continue;
      if (without?.has(ordinal) === true) continue;
      yield new SegmentBlock(this.#file, this.#cache, ordinal, meta);
    }
  }

  close(): void {
    this.#file.close();
  }
}
