import { randomUUID } from "node:crypto";
import { unlinkSync } from "node:fs";
import { join } from "node:path";
import { assert } from "../../../kit/src/assert.ts";
import { replaceFile } from "../log/disk.ts";
import type { LogPoint } from "../log/entry.ts";
import { checkpointEncode, type OnceSnapshot } from "./checkpoint.ts";
import type { StoreContext } from "./context.ts";
import type { SegmentEntry } from "./manifest.ts";
import { sealGroups } from "./partitions.ts";
import { liveSegment } from "./segment-set.ts";
import type { Shard } from "./shard.ts";

/**
 * Seals a shard: everything committed goes into segment files, which the manifest then lists in one
 * commit together with the checkpoint; in one step the segments replace the batches in memory. With
 * `evenWithoutRows`, also when that only moves `sealedThrough`, so that log files can go.
 * Rejects when a file cannot be made or the manifest is closed; the batches stay in memory then.
 */
export function sealShard(
  context: StoreContext,
  shard: Shard,
  evenWithoutRows: boolean,
): Promise<void> {
  return shard.exclusive(async () => {
    if (shard.state.kind !== "serving") return;
    const through = shard.committed;
    const hasRows = shard.memtable.batches.length > 0;
    if (!hasRows && !(evenWithoutRows && through.position > shard.sealedThrough.position)) return;
    await new Seal(context, shard, through).run();
  });
}

/** One seal, from the freeze to the swap. */
class Seal {
  readonly #context: StoreContext;
  readonly #shard: Shard;
  readonly #through: LogPoint;
  readonly #snapshot: OnceSnapshot;
  readonly #directory: string;
  /** Files made so far: deleted when the seal does not happen. */
  readonly #files: string[] = [];

  constructor(context: StoreContext, shard: Shard, through: LogPoint) {
    this.#context = context;
    this.#shard = shard;
    this.#through = through;
    // In the same step as `through` was read: it is as of the committed position.
    this.#snapshot = shard.once.snapshot(through.position);
    this.#directory = context.paths.shard(shard.id);
  }

  async run(): Promise<void> {
    const { manifest } = this.#context;
    const shard = this.#shard;
    const { epoch } = shard;
    let segments: SegmentEntry[];
    let checkpoint: string;
    try {
      segments = await this.#writeSegments();
      checkpoint = await this.#writeCheckpoint();
    } catch (thrown) {
      this.#discard();
      throw thrown;
    }
    const sealedThrough = this.#through;
    // When this rejects the outcome is unknown, and the files must stay.
    const commit = { shard: shard.id, epoch, sealedThrough, checkpoint, segments };
    const outcome = await manifest.commitSeal(commit);
    if (outcome.kind === "deposed") {
      this.#discard();
      return;
    }
    this.#swap(segments, checkpoint, outcome.generation);
  }

  async #writeSegments(): Promise<SegmentEntry[]> {
    const shard = this.#shard;
    const { epoch } = shard;
    const positionFrom = shard.sealedThrough.position + 1;
    const positionThrough = this.#through.position;
    // Taken at once: what is committed from here on is of the next seal.
    const groups = sealGroups([...shard.memtable.batches]);
    const segments: SegmentEntry[] = [];
    for (const { batches, partitions, rows } of groups) {
      const uuid = randomUUID();
      const file = `${epoch}-${uuid}`;
      const path = join(this.#directory, file);
      this.#files.push(path);
      const range = { shard: shard.id, epoch, positionFrom, positionThrough };
      const refs = batches.map(({ offset, length, position }) => ({ offset, length, position }));
      const made = await this.#context.work.seal({ path, uuid, ...range, batches: refs });
      assert(made.rows === rows, "a seal keeps every record");
      const { bytes } = made;
      const of = { epoch, positionFrom, positionThrough, partitions, rows, bytes };
      segments.push({ uuid, file, ...of, level: 0, replaces: [] });
    }
    return segments;
  }

  /** Makes the new files' names durable too. */
  async #writeCheckpoint(): Promise<string> {
    const name = `checkpoint-${this.#shard.epoch}-${randomUUID()}`;
    const path = join(this.#directory, name);
    this.#files.push(path);
    await replaceFile(this.#context.disk, path, checkpointEncode(this.#snapshot));
    return name;
  }

  /** One synchronous step: no cut sees a record twice, or not at all. */
  #swap(segments: readonly SegmentEntry[], checkpoint: string, generation: number): void {
    const { clock, counts, log, logger } = this.#context;
    const shard = this.#shard;
    const live = segments.map((entry) => liveSegment(entry, join(this.#directory, entry.file)));
    shard.segments.replace(new Set(), live, () => undefined);
    shard.memtable.dropThrough(this.#through.position, clock.monotonicMs());
    shard.sealed(this.#through);
    shard.generation = generation;
    const old = shard.checkpoint;
    shard.checkpoint = checkpoint;
    log.sealed(shard.id, this.#through.position);
    if (old !== undefined) unlinkIfThere(join(this.#directory, old));
    counts.seals++;
    const rows = segments.reduce((sum, segment) => sum + segment.rows, 0);
    counts.sealedBytes += segments.reduce((sum, segment) => sum + segment.bytes, 0);
    logger.debug({ shard: shard.id, rows, segments: segments.length, generation }, "shard sealed");
    this.#context.onSegments({ kind: "sealed", shard: shard.id });
  }

  #discard(): void {
    for (const path of this.#files) unlinkIfThere(path);
  }
}

export function unlinkIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== "ENOENT") throw thrown;
  }
}
