import type { Block } from "../../../kit/src/block.ts";
import { ServiceError } from "../../../kit/src/errors.ts";
import type { Part, PartReader } from "../../../query/src/source.ts";
import { openBatch } from "../../../storage/src/format/batch.ts";
import { BlockCache } from "../../../storage/src/segment/block-cache.ts";
import { openSegment, type Segment } from "../../../storage/src/segment/reader.ts";
import type { ArenaBuffers } from "../../../storage/src/shard/arena.ts";
import type { CutPart, MemoryRef, SegmentRef } from "../../../storage/src/shard/cut.ts";
import type { DamagedBlock, DamagedSegment } from "../../../storage/src/shard/damage-list.ts";
import { WatchedBlock } from "./watched-block.ts";

/** Segment files that a worker keeps open; what is beyond is opened again when it is asked for. */
const openSegmentsMax = 256;

/** A file that nobody asked for in this time is closed, so that what was deleted frees its disk. */
const idleMsMax = 30_000;

interface Opened {
  readonly segment: Segment;
  usedMs: number;
}

/** The blocks of a cut's parts as one worker reads them: batches in the arena, segments on disk. */
export class StoredBlocks implements PartReader {
  readonly #arena: Uint8Array;
  readonly #cache: BlockCache;
  readonly #damage: (DamagedBlock | DamagedSegment)[] = [];
  /** The least recently used first. */
  readonly #open = new Map<string, Opened>();

  constructor({ bytes }: ArenaBuffers, cacheBytes: number) {
    this.#arena = new Uint8Array(bytes);
    this.#cache = new BlockCache(cacheBytes);
  }

  blocks(part: Part): Iterable<Block> {
    // What a cut of ours put there.
    const ref = part.ref as MemoryRef | SegmentRef;
    if (ref.kind === "memory") return this.#batches(ref);
    return this.#blocks(ref, (part as CutPart).shard);
  }

  /** What was found damaged since the last call. */
  takeDamage(): (DamagedBlock | DamagedSegment)[] {
    return this.#damage.splice(0);
  }

  /** One batch of the arena, while somebody retains it. */
  batch(offset: number, length: number, position: number): Block {
    return openBatch(this.#arena, offset, length, position);
  }

  /** Closes what has not been used for a while. */
  closeIdle(): void {
    const now = performance.now();
    for (const [path, { segment, usedMs }] of this.#open) {
      if (now - usedMs < idleMsMax) return;
      segment.close();
      this.#open.delete(path);
    }
  }

  *#batches({ batches }: MemoryRef): Generator<Block> {
    for (const { offset, length, position } of batches) {
      yield openBatch(this.#arena, offset, length, position);
    }
  }

  *#blocks(ref: SegmentRef, shard: number): Generator<Block> {
    const segment = this.#opened(ref, shard);
    const without = new Set(ref.damagedBlocks);
    for (const block of segment.blocks({ tenant: ref.tenant, without })) {
      const partition = segment.partitionOf(block);
      if (partition.class !== ref.class || partition.internal !== ref.internal) continue;
      const { ordinal } = block;
      yield new WatchedBlock(block, (reason) => {
        this.#damage.push({ shard, uuid: ref.uuid, block: ordinal, reason });
        // Once repaired, it is another file of that name.
        this.#close(ref.path);
      });
    }
  }

  #close(path: string): void {
    this.#open.get(path)?.segment.close();
    this.#open.delete(path);
  }

  #opened({ path, uuid }: SegmentRef, shard: number): Segment {
    try {
      return this.#segment(path);
    } catch (thrown) {
      if (thrown instanceof ServiceError && thrown.code === "storage.damaged")
        this.#damage.push({ shard, uuid, block: undefined, reason: thrown.message });
      throw thrown;
    }
  }

  #segment(path: string): Segment {
    const known = this.#open.get(path);
    this.#open.delete(path);
    const opened = known ?? { segment: openSegment(path, this.#cache), usedMs: 0 };
    opened.usedMs = performance.now();
    this.#open.set(path, opened);
    for (const [oldest, { segment }] of this.#open) {
      if (this.#open.size <= openSegmentsMax) break;
      segment.close();
      this.#open.delete(oldest);
    }
    return opened.segment;
  }
}
