import { type Moment, momentCompare } from "../../../kit/src/time.ts";
import type { StoreContext } from "./context.ts";
import { cutPartBatchesMax, cutPartBytesMax } from "./limits.ts";
import type { MemoryBatch } from "./memtable.ts";
import { placedPart, sealedParts } from "./sealed-parts.ts";
import { type LiveSegment, pin, unpin } from "./segment-set.ts";
import type { BatchRef } from "./segment-work.ts";
import type { Shard } from "./shard.ts";
import type { Deletion, PlacedTombstone } from "./tombstone.ts";

/** Batches in the arena, in the order of their shard's log. */
export interface MemoryRef {
  readonly kind: "memory";
  readonly batches: readonly BatchRef[];
}

/** The blocks of one tenant, class and kind of stream in a segment file. */
export interface SegmentRef {
  readonly kind: "segment";
  readonly path: string;
  /** Name and size of the file, as the manifest has them. */
  readonly file: string;
  readonly fileBytes: number;
  readonly uuid: string;
  readonly tenant: string;
  readonly class: string;
  readonly internal: boolean;
  /** Ordinals of blocks that are damaged and are not to be read. */
  readonly damagedBlocks: readonly number[];
}

/** A piece of a cut that one worker reads. Plain data. */
export interface CutPart {
  readonly shard: number;
  /** No record of the part has a higher one. */
  readonly positionThrough: number;
  /** Inclusive bounds. */
  readonly timeMin: Moment;
  readonly timeMax: Moment;
  /** Of the part; all of a file's when it is of a segment. */
  readonly rows: number;
  readonly bytes: number;
  readonly internal: boolean;
  /** What may hide some of its records. */
  readonly deletions: readonly Deletion[];
  readonly ref: MemoryRef | SegmentRef;
}

/** Half-open: `from` is in it, `to` is not. */
export interface CutRange {
  readonly from: Moment;
  readonly to: Moment;
}

/** A state of all shards at one moment, readable until it is released. */
export interface StoreCut {
  readonly parts: readonly CutPart[];
  /** What should have been in it and is not, by name: shards without an owner, damaged blocks. */
  readonly missing: readonly string[];
  /** Shards of which the cut has only what is sealed, and that another replica may serve by now. */
  readonly elsewhere: readonly number[];
  /** Once; more does nothing. */
  release(): void;
}

/**
 * Opens a cut of these shards, of all when none are named: one synchronous step, so that each committed record is in it
 * exactly once.
 */
export function openCut(
  context: StoreContext,
  tenant: string,
  range: CutRange,
  shards?: ReadonlySet<number>,
): StoreCut {
  const cut = new OpenCut(context, tenant, range);
  for (const shard of context.shards) {
    if (shards !== undefined && !shards.has(shard.id)) continue;
    // Only if it may be read now: an answer that comes later is of no use.
    let isOpened = false;
    context.hosts[shard.id]!.cut(({ kind }) => {
      isOpened = kind === "cut-opened";
    });
    cut.add(shard, isOpened || isTakenAnew(shard, context));
  }
  return opened(cut);
}

/** As `openCut`, each shard in one step of its own: as soon as no other replica can have acknowledged what this one does not know. */
export async function openCutWhenLeased(
  context: StoreContext,
  tenant: string,
  range: CutRange,
  shards?: ReadonlySet<number>,
): Promise<StoreCut> {
  const { hosts } = context;
  const cut = new OpenCut(context, tenant, range);
  const wanted = context.shards.filter(({ id }) => shards === undefined || shards.has(id));
  const added = wanted.map(
    (shard) =>
      new Promise<void>((resolve) => {
        hosts[shard.id]!.cut(({ kind }) => {
          cut.add(shard, kind === "cut-opened" || isTakenAnew(shard, context));
          resolve();
        });
      }),
  );
  await Promise.all(added);
  return opened(cut);
}

function opened(cut: OpenCut): StoreCut {
  let isOpen = true;
  return {
    parts: cut.parts,
    missing: cut.missing,
    elsewhere: cut.elsewhere,
    release() {
      if (isOpen) cut.release();
      isOpen = false;
    },
  };
}

class OpenCut {
  readonly parts: CutPart[] = [];
  readonly missing: string[] = [];
  readonly elsewhere: number[] = [];
  readonly #context: StoreContext;
  readonly #tenant: string;
  readonly #range: CutRange;
  readonly #segments: LiveSegment[] = [];
  readonly #batches: MemoryBatch[] = [];

  constructor(context: StoreContext, tenant: string, range: CutRange) {
    this.#context = context;
    this.#tenant = tenant;
    this.#range = range;
  }

  /** `isWhole`: the cut has all of the shard that was acknowledged. */
  add(shard: Shard, isWhole: boolean): void {
    if (!isWhole) {
      this.missing.push(`shard ${shard.id}`);
      if (shard.state.kind !== "stopped") this.elsewhere.push(shard.id);
    }
    for (const segment of shard.segments.all) this.#addSegment(shard, segment);
    this.#addMemory(shard);
  }

  release(): void {
    for (const { offset, length } of this.#batches) this.#context.arena.release(offset, length);
    for (const segment of this.#segments) unpin(segment);
  }

  #addSegment(shard: Shard, segment: LiveSegment): void {
    const { entry, path } = segment;
    const after = Math.max(segment.deletedThrough, entry.positionFrom);
    const wanted = sealedParts(shard.id, entry, {
      ...{ tenant: this.#tenant, range: this.#range },
      deletionsOf: (partition) => {
        return shard.once.tombstones.over({ ...partition, after }).map(deletionOf);
      },
    });
    if (wanted.length === 0) return;
    const name = `shard ${shard.id} segment ${entry.uuid}`;
    if (segment.isLost) {
      this.missing.push(name);
      return;
    }
    const damagedBlocks = [...segment.damagedBlocks];
    this.missing.push(...damagedBlocks.map((block) => `${name} block ${block}`));
    pin(segment);
    this.#segments.push(segment);
    for (const part of wanted) this.parts.push(placedPart(part, path, damagedBlocks));
  }

  /** Neighbouring batches go into one part: thousands of small ones would cost more than their rows. */
  #addMemory(shard: Shard): void {
    for (const internal of [false, true]) {
      let group: MemoryBatch[] = [];
      let bytes = 0;
      for (const batch of shard.memtable.batches) {
        if (batch.internal !== internal || !this.#isWanted(batch)) continue;
        if (group.length === cutPartBatchesMax || bytes + batch.length > cutPartBytesMax) {
          this.#pushMemory(shard, group, bytes);
          group = [];
          bytes = 0;
        }
        group.push(batch);
        bytes += batch.length;
      }
      this.#pushMemory(shard, group, bytes);
    }
  }

  #pushMemory({ once }: Shard, group: readonly MemoryBatch[], bytes: number): void {
    const first = group[0];
    if (first === undefined) return;
    let { timeMin, timeMax } = first;
    let rows = 0;
    for (const batch of group) {
      if (momentCompare(batch.timeMin, timeMin) < 0) timeMin = batch.timeMin;
      if (momentCompare(batch.timeMax, timeMax) > 0) timeMax = batch.timeMax;
      rows += batch.rows;
      this.#context.arena.retain(batch.offset, batch.length);
      this.#batches.push(batch);
    }
    const { shard, internal, tenant } = first;
    const deletions = once.tombstones
      .over({ tenant, internal, timeMin, timeMax, after: first.position })
      .map(deletionOf);
    const batches = group.map(({ offset, length, position }) => ({ offset, length, position }));
    const ref: MemoryRef = { kind: "memory", batches };
    const { position: positionThrough } = group.at(-1) as MemoryBatch;
    const range = { timeMin, timeMax, rows, bytes };
    this.parts.push({ shard, positionThrough, ...range, internal, deletions, ref });
  }

  #isWanted(of: {
    readonly tenant: string;
    readonly timeMin: Moment;
    readonly timeMax: Moment;
  }): boolean {
    return (
      of.tenant === this.#tenant &&
      momentCompare(of.timeMax, this.#range.from) >= 0 &&
      momentCompare(of.timeMin, this.#range.to) < 0
    );
  }
}

/** While the only member of a set acquires its own shard anew, what it has committed still is all that was acknowledged. */
function isTakenAnew({ id, epoch, state }: Shard, { hosts, ownership }: StoreContext): boolean {
  if (epoch === 0 || state.kind !== "waiting") return false;
  const { isChanging, members } = hosts[id]!.replicas;
  // The set that this node knows may be one that it is not of any more.
  const isAlone = members.length === 1 && ownership.self.startsWith(`${members[0]}/`);
  return isAlone && !isChanging;
}

function deletionOf({ id, filter, from, to, position }: PlacedTombstone): Deletion {
  return { id, filter, from, to, position };
}
