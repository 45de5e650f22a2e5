import type { ServiceError } from "../../../kit/src/errors.ts";
import type { Closable } from "../../../kit/src/lifecycle.ts";
import type { Assignment } from "../replication/core/owner.ts";
import type { KeptCopies } from "../replication/kept-copies.ts";
import type { Recovered, Settled } from "../replication/replica-host.ts";
import type { AppendPart, AppendResult } from "./append.ts";
import type { IdempotencyResult } from "./appender.ts";
import type { BackupCut } from "./backup-cut.ts";
import type { CutPart, CutRange, StoreCut } from "./cut.ts";
import type { DamagedBlock, DamagedSegment } from "./damage-list.ts";
import type { IdempotencyRecord } from "./idempotency-table.ts";
import type { MemoryBatch } from "./memtable.ts";
import { OpenStore } from "./open-store.ts";
import type { RetentionView } from "./retention-view.ts";
import type { PinnedSegment, SealedShard, SegmentChange } from "./sealed.ts";
import type { SealedPart } from "./sealed-parts.ts";
import type { StoreStatus } from "./status.ts";
import type { StoreOptions } from "./store-options.ts";
import type { Deletion, Tombstone } from "./tombstone.ts";
import type { TombstoneStatus } from "./tombstone-progress.ts";

/** All shards of this node. Lives on the main thread; what is heavy happens in `SegmentWork`. */
export interface Store extends Closable {
  /**
   * Stores parts, each once; resolves when all are committed or known to be. The arena's references
   * are taken in this very call, so the slabs of the same job may be reported closed right after it.
   * Rejects with `ingest.unavailable`, `storage.full`, `storage.failed`, `storage.damaged` or
   * `service.stopping`; some of the parts may be stored then, and a retry with the same keys completes them.
   */
  append(parts: readonly AppendPart[]): Promise<AppendResult[]>;
  /**
   * Commits what a request with an `Idempotency-Key` is processed with, or finds what an earlier one was.
   * Rejects with `ingest.idempotency-mismatch` when that had another digest, and as `append` does.
   */
  commitIdempotency(record: IdempotencyRecord): Promise<IdempotencyResult>;
  /**
   * Hides what a tombstone says among the records that are stored by now; resolves when that is committed in every shard, or in those
   * that are named. They are taken out of the files later. Rejects as `append`; some of the shards may have it then.
   */
  addTombstone(tombstone: Tombstone, shards?: readonly number[]): Promise<void>;
  /** How far the tombstones have come, one of each shard that is served. */
  tombstones(): readonly TombstoneStatus[];
  /** Files of shards that are not served here, which may hold what tombstones of their owners hide. Throws as `readdir`. */
  keptCopies(): readonly KeptCopies[];
  /** One that is done in every shard needs no more to be looked at. */
  forgetTombstone(id: string): void;
  /** Up to where each shard, or each that is named, has stored a source; 0n for those that know nothing of it. */
  lastStored(source: string, shards?: readonly number[]): Promise<ReadonlyMap<number, bigint>>;
  /** Why a request should be refused before its body is read; undefined: let it come. */
  pressure(): ServiceError | undefined;
  /**
   * Waits until batches of about so many bytes together can be put into the arena. Rejects with `ingest.busy` when it
   * takes too long, and with `storage.full` while the disk is.
   */
  room(timeoutMs: number, bytes?: number): Promise<void>;
  /** A state of these shards, or of all, taken in this call and pinned until it is released. */
  openCut(tenant: string, range: CutRange, shards?: ReadonlySet<number>): StoreCut;
  /**
   * As `openCut`, but waits until each shard may be read here, at most a second: a shard with other replicas may only while
   * they confirm that this node is its owner.
   */
  cut(tenant: string, range: CutRange, shards?: ReadonlySet<number>): Promise<StoreCut>;
  /**
   * Calls with each batch in the step that commits it, after it is in every later cut. Whoever reads
   * the batch later retains it in the arena, in this call. Returns how to stop.
   */
  onCommitted(listener: (batch: MemoryBatch) => void): () => void;
  /** Calls after each seal and drop, in the step that changes the segments. Returns how to stop. */
  onSegments(listener: (change: SegmentChange) => void): () => void;
  /**
   * Who shall hold copies of a shard, and who own it: its owner brings that about in its own time. Without other replicas it
   * means nothing.
   */
  assign(shard: number, assignment: Assignment): void;
  /**
   * Gives a shard to another member of its set, to any that can take it when none is named; resolves when that is done or was
   * given up.
   */
  handOver(shard: number, target?: string): Promise<Settled>;
  /**
   * A person accepts loss: this replica alone becomes the shard's set, whatever it has. `liveMembers`: the members whose sessions
   * live, read after a barrier write; while there are others than this one, it is refused.
   */
  recover(shard: number, liveMembers: readonly string[]): Promise<Recovered>;
  /** Whether the shard takes appends here now. */
  serves(shard: number): boolean;
  /** What of a shard lies in segments; undefined while the shard is not served here. */
  sealed(shard: number): SealedShard | undefined;
  /** Keeps a live segment's file until it is released; undefined when it is live no longer. */
  pinSegment(shard: number, uuid: string): PinnedSegment | undefined;
  /** As parts of a cut, those of which this node has a whole copy; see `openSealedParts`. */
  openSealed(parts: readonly SealedPart[]): (CutPart | undefined)[];
  /** A tenant's deletes that may still hide records; undefined when no shard is served here. See `deletionsOf`. */
  deletions(tenant: string): Deletion[] | undefined;
  /**
   * Seals what is committed by now, and holds the files that it and all before it lie in until the cut is released; `id` is of no
   * other cut that is held. Of all shards when none are named. Rejects with `ingest.unavailable` for a shard that is not served here, and
   * with `storage.failed`.
   */
  backupCut(id: string, shards?: ReadonlySet<number>): Promise<BackupCut>;
  /** A reader found a block or a whole segment damaged: it is set aside and named, a block also remembered. */
  reportDamage(found: DamagedBlock | DamagedSegment): void;
  status(): StoreStatus;
  /** What each tenant has of each retention class, and what goes next. */
  retention(): RetentionView;
  /** Seals all records in memory now. */
  seal(): Promise<void>;
  /** Before `close`: seals whatever is in the log, records or not, so that its files can go and the next start reads nothing. */
  settle(): Promise<void>;
  /** Merges until nothing is worth it. */
  merge(): Promise<void>;
  /** Drops what retention does not keep, now. */
  retain(): Promise<void>;
  /** Reads all segment files for damage, now, and repairs copies that have any. */
  scrub(): Promise<void>;
  /** Takes nothing more, waits for what is under way, and closes the log. Seals nothing: the log has it all. */
  close(): Promise<void>;
}

/**
 * Opens the store of a data directory: reads the log, and takes over every shard that it may.
 * Rejects with `storage.damaged`, `storage.full` and what the file system says.
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const store = new OpenStore(options);
  try {
    await store.start();
  } catch (thrown) {
    await store.abandon();
    throw thrown;
  }
  return store;
}
