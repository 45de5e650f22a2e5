import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from "node:fs";
import { ServiceError } from "../../../kit/src/errors.ts";
import type { Scrubbed, ScrubJob } from "../../src/segment/scrub.ts";
import type { ArenaOwner } from "../../src/shard/arena.ts";
import { partitionsOf } from "../../src/shard/partitions.ts";
import type {
  MergeJob,
  RewriteJob,
  Rewritten,
  SealJob,
  SegmentFile,
  SegmentWork,
  VerifyJob,
} from "../../src/shard/segment-work.ts";

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
  beforeWrite: (kind: "seal" | "merge" | "rewrite") => void = () => undefined;

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

  /** Here a filter is a record's beginning, and no record has a time. */
  async rewrite(job: RewriteJob): Promise<Rewritten> {
    this.beforeWrite("rewrite");
    await new Promise((resolve) => setImmediate(resolve));
    const rowsRemoved = job.tombstones.map(() => 0);
    const kept = readBlocks(job.input.path).map((block) => {
      if (block.internal) return block;
      const records = block.records.filter((record) => {
        const by = job.tombstones.findIndex(
          ({ tenant, filter, position }) =>
            tenant === block.tenant && block.position < position && record.startsWith(filter),
        );
        if (by >= 0) rowsRemoved[by] = (rowsRemoved[by] ?? 0) + 1;
        return by < 0;
      });
      return { ...block, records };
    });
    const blocks = kept.filter(({ records }) => records.length > 0);
    if (rowsRemoved.every((rows) => rows === 0) || blocks.length === 0) {
      return { rowsRemoved, file: undefined };
    }
    const time = { ms: 0, ns: 0 };
    const partitions = partitionsOf(
      blocks.map(({ tenant, class: its, internal, records }) => {
        const bounds = {
          timeMin: time,
          timeMax: { ms: Date.now(), ns: 0 },
          receiptMsMax: Date.now(),
        };
        return { tenant, class: its, internal, rows: records.length, ...bounds };
      }),
    );
    return { rowsRemoved, file: { ...writeBlocks(job.path, blocks), partitions } };
  }

  async verify({ path }: VerifyJob): Promise<void> {
    try {
      readBlocks(path);
    } catch (thrown) {
      const fields = { file: path };
      throw new ServiceError("storage.damaged", "no segment", fields, { cause: thrown });
    }
  }

  async scrub({ path }: ScrubJob): Promise<Scrubbed> {
    const whole = { bytes: 1, next: undefined, damaged: [] };
    try {
      readBlocks(path);
      return whole;
    } catch {
      return { ...whole, damaged: [{ block: undefined, reason: "no segment" }] };
    }
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
