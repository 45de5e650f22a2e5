import { crc32 } from "node:zlib";
import { type FinishMessage, taskTransferables } from "../../query/src/engine/finish.ts";
import type { PartialMessage, PartTask } from "../../query/src/engine/fragment.ts";
import type { FragmentPool } from "../../query/src/engine/pool.ts";
import type { Cut, Deletion, Part, TimeRange } from "../../query/src/source.ts";
import type { TailSource } from "../../query/src/tail/replay.ts";
import type { CutPart, SegmentRef, StoreCut } from "../../storage/src/shard/cut.ts";
import type { DamagedBlock, DamagedSegment } from "../../storage/src/shard/damage-list.ts";
import { type SealedPart, sealedPartOf } from "../../storage/src/shard/sealed-parts.ts";
import type { Store } from "../../storage/src/shard/store.ts";
import type { WorkerPool } from "./threads/pool.ts";

/** The shards of this node. */
export interface OwnSource extends TailSource {
  /** A cut of these shards; `elsewhere` are those that another node may serve. */
  openShards(tenant: string, range: TimeRange, shards: ReadonlySet<number>): Promise<OwnCut>;
  /** What any copy of the part's file has; undefined for a part in memory. */
  sealedOf(part: Part): SealedPart | undefined;
  /** Those whose file this node has, whoever owns their shards. They hold nothing: the files stay for as long as a query may take. */
  openSealed(parts: readonly SealedPart[]): readonly (Part | undefined)[];
  /** A tenant's deletes that may hide records of any shard; undefined when no shard is served here. */
  deletions(tenant: string): readonly Deletion[] | undefined;
}

export interface OwnCut extends Cut {
  readonly elsewhere: readonly number[];
}

/** Where queries read: cuts of the shards of this node. */
export function storeSource(store: Store): OwnSource {
  return {
    open: (tenant: string, range: TimeRange): Promise<Cut> =>
      store.cut(tenant, range).then(identified),
    openShards: (tenant, range, shards) => store.cut(tenant, range, shards).then(identified),
    // Every part of a cut comes from the store.
    shardOf: (part: Part): number => (part as CutPart).shard,
    positionThroughOf: (part: Part): number => (part as CutPart).positionThrough,
    sealedOf: (part) => sealedPartOf(part as CutPart),
    openSealed: (parts) => {
      return store.openSealed(parts).map((part) => part && identifiedPart(part));
    },
    deletions: (tenant) => store.deletions(tenant),
  };
}

function identified({ parts, missing, elsewhere, release }: StoreCut): OwnCut {
  return { parts: parts.map(identifiedPart), missing, elsewhere, release };
}

/** What is in a segment file stays what it is, as long as the same of it is left out, be it damaged or deleted. */
function identifiedPart(part: CutPart): Part {
  return part.ref.kind === "memory" ? part : { ...part, identity: identityOf(part, part.ref) };
}

function identityOf({ deletions }: CutPart, ref: SegmentRef): string {
  const { path: _, ...content } = ref;
  const deleted = deletions.map(({ id }) => id);
  return [...Object.values(content), ...deleted].join(" ");
}

/** A worker's answer to a piece of a query, and what it found damaged on the way. */
export interface Evaluated {
  readonly message: PartialMessage;
  readonly damage: readonly (DamagedBlock | DamagedSegment)[];
}

/** The same blocks of a file are always evaluated by the same thread, where it can be had. */
function nearOf({ part: { identity }, slice }: PartTask): { readonly near?: number } {
  if (identity === undefined) return {};
  return { near: crc32(identity) + (slice?.index ?? 0) };
}

/** Who evaluates: the worker threads, in the lane behind ingest and tails. */
export function workerFragments(pool: WorkerPool, store: Store): FragmentPool {
  return {
    // Of four times the threads, while one piece is answered another lies there already, and each thread may choose.
    size: pool.size * 4,
    async run(plan, task, signal) {
      const evaluated = await pool.run<Evaluated>(
        "fragment",
        { plan, task },
        { lane: "query", signal, ...nearOf(task) },
      );
      for (const found of evaluated.damage) store.reportDamage(found);
      return evaluated.message;
    },
    finish: (task, signal) => {
      const transfer = taskTransferables(task);
      return pool.run<FinishMessage>("finish", task, { lane: "query", signal, transfer });
    },
  };
}
