import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from "node:fs";
import type { ArenaOwner } from "../../src/shard/arena.ts";
import type { MergeJob, SealJob, SegmentFile, SegmentWork } from "../../src/shard/segment-work.ts";

/** The body of a batch in these tests: what a columnar batch would say of itself, as JSON. */
export interface PlainBatch {
  readonly tenant: string;
  readonly class: string;
  readonly internal: boolean;
  readonly records: readonly string[];
}

/** A batch in a segment file of these tests. */
export interface PlainBlock extends PlainBatch {
  readonly position: number;
}

/** Segment files as JSON: the store's part of sealing is the same whatever lies in them. */
export class PlainSegments implements SegmentWork {
  readonly #arena: ArenaOwner;
  /** Runs before each file is written: where tests fail it. */
  beforeWrite: (kind: "seal" | "merge") => void = () => undefined;

  constructor(arena: ArenaOwner) {
    this.#arena = arena;
  }

  async seal(job: SealJob): Promise<SegmentFile> {
    this.beforeWrite("seal");
    // A turn between freeze and file, in which appends go on.
    await new Promise((resolve) => setImmediate(resolve));
    const blocks = job.batches.map(({ offset, length, position }) => {
      return { position, ...parseBatch(this.#arena.view(offset, length)) };
    });
    return writeBlocks(job.path, blocks);
  }

  async merge(job: MergeJob): Promise<SegmentFile> {
    this.beforeWrite("merge");
    await new Promise((resolve) => setImmediate(resolve));
    const blocks = job.inputs.flatMap(({ path }) => readBlocks(path));
    return writeBlocks(
      job.path,
      blocks.sort((a, b) => a.position - b.position),
    );
  }
}

export function parseBatch(bytes: Buffer): PlainBatch {
  return JSON.parse(bytes.toString()) as PlainBatch;
}

export function readBlocks(path: string): PlainBlock[] {
  return JSON.parse(readFileSync(path, "utf8")) as PlainBlock[];
}

function writeBlocks(path: string, blocks: readonly PlainBlock[]): SegmentFile {
  const bytes = Buffer.from(JSON.stringify(blocks));
  const fd = openSync(path, "wx");
  writeSync(fd, bytes);
  fsyncSync(fd);
  closeSync(fd);
  const rows = blocks.reduce((sum, { records }) => sum + records.length, 0);
  return { bytes: bytes.length, rows };
}
