import { assert } from "../../../kit/src/assert.ts";
import type { ServiceError } from "../../../kit/src/errors.ts";
import type { Closable } from "../../../kit/src/lifecycle.ts";
import { CommitLog } from "../log/commit-log.ts";
import { nodeDisk } from "../log/disk.ts";
import { EpochFile } from "../log/epoch-file.ts";
import type { Assignment } from "../replication/core/owner.ts";
import { ShardReplica } from "../replication/core/replica.ts";
import { handOverHoldMs } from "../replication/limits.ts";
import type { Recovered, ReplicaHost, Settled } from "../replication/replica-host.ts";
import { ReplicatedManifest } from "../replication/replicated-manifest.ts";
import { Replication } from "../replication/replication.ts";
import { noLinks, noSource } from "../replication/solo.ts";
import type { AppendPart, AppendResult } from "./append.ts";
import { Appender, type IdempotencyResult } from "./appender.ts";
import { ArenaWriter } from "./arena.ts";
import { type BackupCut, committedEnds, removeHeld, takeBackupCut } from "./backup-cut.ts";
import type { StoreContext } from "./context.ts";
import { type CutPart, type CutRange, openCut, openCutWhenLeased, type StoreCut } from "./cut.ts";
import { type DamagedBlock, type DamagedSegment, DamageList } from "./damage-list.ts";
import { type StorePaths, storePaths } from "./data-directory.ts";
import { DiskLimit, diskUseOf } from "./disk-limit.ts";
import { moveToTrash } from "./dropping.ts";
import type { IdempotencyRecord } from "./idempotency-table.ts";
import { closeWaitMs, storeArenaWriter } from "./limits.ts";
import { Maintenance } from "./maintenance.ts";
import type { MemoryBatch } from "./memtable.ts";
import { noteCommitted } from "./note-committed.ts";
import { RetentionClock } from "./retention-clock.ts";
import { type RetentionView, retentionView } from "./retention-view.ts";
import { Retiring } from "./retiring.ts";
import { pressureOf, whenRoom } from "./room.ts";
import { Scrubber } from "./scrubbing.ts";
import {
  type PinnedSegment,
  pinSegment,
  type SealedShard,
  type SegmentChange,
  sealedShard,
} from "./sealed.ts";
import { deletionsOf, openSealedParts, type SealedPart } from "./sealed-parts.ts";
import { setAside } from "./set-aside.ts";
import { Shard } from "./shard.ts";
import { type StoreStatus, storeStatus } from "./status.ts";
import { type StoreOptions, settingsOf } from "./store-options.ts";
import type { Deletion, Tombstone } from "./tombstone.ts";
import { type TombstoneStatus, tombstoneStatus } from "./tombstone-progress.ts";

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

class OpenStore implements Store {
  readonly #options: StoreOptions;
  readonly #settings: ReturnType<typeof settingsOf>;
  readonly #listeners = new Set<(batch: MemoryBatch) => void>();
  readonly #segmentListeners = new Set<(change: SegmentChange) => void>();
  readonly #retiring: Retiring;
  /** By shard; filled once the store is open. */
  readonly #hosts: ReplicaHost[] = [];
  #log: CommitLog | undefined;
  #parts: Parts | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: StoreOptions) {
    this.#options = options;
    this.#settings = settingsOf(options);
    const { replacedKeepMs } = this.#settings.segmentLimits;
    this.#retiring = new Retiring(options.logger, replacedKeepMs);
  }

  async start(): Promise<void> {
    const context = await this.#openContext();
    const appender = new Appender(context);
    const maintenance = new Maintenance(context, this.#settings);
    const replication = await this.#replication(context, maintenance);
    const scrubber = new Scrubber(context, {
      scrubPeriodMs: this.#settings.scrubPeriodMs,
      renewCopy: (shard, uuid) => replication.renewCopy(shard, uuid),
    });
    this.#parts = { context, appender, maintenance, replication, scrubber };
    const { retentionMs, bytesMax } = this.#settings.retention;
    const facts = { retentionMs: retentionMs("default"), retentionBytes: bytesMax };
    context.logger.info({ shards: context.shards.length, ...facts }, "store opened, acquiring");
    await replication.run();
    scrubber.start();
  }

  async #replication(context: StoreContext, maintenance: Maintenance): Promise<Replication> {
    const { manifest, member, ownership, replication } = this.#options;
    const made = await Replication.open({
      ...(replication ?? { ownership, links: noLinks, source: noSource }),
      ...{ context, member, manifest, makeReplica: (options) => new ShardReplica(options) },
      keepMs: this.#settings.segmentLimits.replacedKeepMs,
      onSealWanted: (shard) => maintenance.sealSoon(shard),
    });
    this.#hosts.push(...made.hosts);
    return made;
  }

  /** After a start that failed. */
  async abandon(): Promise<void> {
    await this.#log?.close();
  }

  async #openContext(): Promise<StoreContext> {
    const { arena, clock, data, logger, manifest, ownership, shardCount, work } = this.#options;
    const disk = this.#options.disk ?? nodeDisk;
    const paths = storePaths(data, shardCount);
    // Files are made durable in their directories; the directories must be so in theirs.
    for (const path of [paths.root, data.path]) await disk.fsyncDirectory(path);
    removeHeld(paths);
    const { log, recovered } = await CommitLog.open({
      directory: paths.log,
      disk,
      logger,
      fileBytes: this.#settings.logFileBytes,
      bytesMax: this.#settings.logBytesMax,
      onSealWanted: () => this.#logFills(),
      onFailed: (error) => this.#failed(error),
    });
    this.#log = log;
    const shards = Array.from({ length: shardCount }, (_, id) => new Shard(id, arena));
    const epochs = EpochFile.open(disk, paths.root);
    for (const { id } of shards) {
      // Without a promise it never took an entry, so none is lost.
      const isUntouched = epochs.of(id).promised === 0 && !recovered.shards.has(id);
      if (isUntouched) recovered.damaged.emptied(id);
    }
    const { agreedMs } = this.#options;
    const retentionClock = new RetentionClock({ clock, logger, agreedMs, shards });
    return {
      ...{ arena, clock, logger, disk, paths, log, ownership, work },
      manifest: new ReplicatedManifest(manifest, (shard) => this.#hosts[shard]!),
      hosts: this.#hosts,
      logDamage: recovered.damaged,
      loggedCommitted: new Map([...recovered.shards].map(([id, { committed }]) => [id, committed])),
      writer: new ArenaWriter(arena.buffers, storeArenaWriter),
      epochs,
      damage: DamageList.open(disk, paths.root),
      shards,
      diskLimit: this.#diskLimit(paths, shards, log),
      segmentLimits: this.#settings.segmentLimits,
      retentionClock,
      counts: {
        ...{ parts: 0, rows: 0, bytes: 0, repeats: 0 },
        ...{ seals: 0, merges: 0, drops: 0, droppedBytes: 0, droppedRows: 0 },
        ...{ rewrites: 0, rowsDeleted: 0, maintenanceFailures: 0 },
        ...{ loggedBytes: 0, sealedBytes: 0, mergedBytes: 0 },
      },
      onCommitted: (batch) => this.#committed(batch),
      onSegments: (change) => this.#tell(this.#segmentListeners, change),
      reportDamage: (found) => this.reportDamage(found),
      repair: (shard, segment) => this.#parts?.replication.repair(shard, segment),
      retireReplaced: (segment) => this.#retiring.later(segment),
      retireDropped: (segment) => {
        this.#retiring.attempt(segment.path, () => {
          moveToTrash(paths.trash, segment, retentionClock.nowMs() ?? clock.now());
        });
      },
    };
  }

  #diskLimit({ root, trash }: StorePaths, shards: readonly Shard[], log: CommitLog): DiskLimit {
    const { diskBytesMax: bytesMax, diskUse = () => diskUseOf(root) } = this.#options;
    const liveBytes = () =>
      shards.reduce((sum, { segments }) => sum + segments.bytes, log.usedBytes);
    return new DiskLimit({ diskUse, bytesMax, liveBytes, trash });
  }

  append(parts: readonly AppendPart[]): Promise<AppendResult[]> {
    return this.#open.appender.append(parts);
  }

  commitIdempotency(record: IdempotencyRecord): Promise<IdempotencyResult> {
    return this.#open.appender.commitIdempotency(record);
  }

  async addTombstone(tombstone: Tombstone, shards?: readonly number[]): Promise<void> {
    const { appender } = this.#open;
    const named = this.#named(shards);
    await Promise.all(named.map((shard) => appender.addTombstone(shard, tombstone)));
  }

  tombstones(): readonly TombstoneStatus[] {
    return tombstoneStatus(this.#open.context);
  }

  forgetTombstone(id: string): void {
    for (const { once } of this.#open.context.shards) once.tombstones.forget(id);
  }

  async lastStored(
    source: string,
    shards?: readonly number[],
  ): Promise<ReadonlyMap<number, bigint>> {
    const ends = new Map<number, bigint>();
    for (const shard of this.#named(shards)) {
      await this.#open.appender.settled(shard);
      ends.set(shard.id, shard.once.sources.endOf(source));
    }
    return ends;
  }

  #named(ids?: readonly number[]): readonly Shard[] {
    const { shards } = this.#open.context;
    if (ids === undefined) return shards;
    return ids.map((id) => {
      const shard = shards[id];
      assert(shard !== undefined, "a shard is named that there is");
      return shard;
    });
  }

  pressure(): ServiceError | undefined {
    return pressureOf(this.#open.context);
  }

  room(timeoutMs: number, bytes = 0): Promise<void> {
    const { context, maintenance } = this.#open;
    return whenRoom(context, maintenance, { bytes, timeoutMs });
  }

  openCut(tenant: string, range: CutRange, shards?: ReadonlySet<number>): StoreCut {
    return openCut(this.#open.context, tenant, range, shards);
  }

  cut(tenant: string, range: CutRange, shards?: ReadonlySet<number>): Promise<StoreCut> {
    return openCutWhenLeased(this.#open.context, tenant, range, shards);
  }

  onCommitted(listener: (batch: MemoryBatch) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  onSegments(listener: (change: SegmentChange) => void): () => void {
    this.#segmentListeners.add(listener);
    return () => this.#segmentListeners.delete(listener);
  }

  assign(shard: number, assignment: Assignment): void {
    this.#hosts[shard]?.input({ kind: "assign", ...assignment });
  }

  handOver(shard: number, target?: string): Promise<Settled> {
    const order = { target, transferMs: handOverHoldMs, isDrain: false };
    return this.#hosts[shard]!.handOver(order);
  }

  recover(shard: number, liveMembers: readonly string[]): Promise<Recovered> {
    return this.#hosts[shard]!.recover(liveMembers);
  }

  serves(shard: number): boolean {
    return this.#open.context.shards[shard]?.state.kind === "serving";
  }

  sealed(shard: number): SealedShard | undefined {
    return sealedShard(this.#open.context, shard);
  }

  openSealed(parts: readonly SealedPart[]): (CutPart | undefined)[] {
    return openSealedParts(this.#open.context, parts);
  }

  deletions(tenant: string): Deletion[] | undefined {
    return deletionsOf(this.#open.context, tenant);
  }

  pinSegment(shard: number, uuid: string): PinnedSegment | undefined {
    return pinSegment(this.#open.context, shard, uuid);
  }

  async backupCut(id: string, shards?: ReadonlySet<number>): Promise<BackupCut> {
    const { context, maintenance } = this.#open;
    const ends = committedEnds(context, shards);
    await maintenance.sealAll(true);
    return takeBackupCut(context, id, ends);
  }

  reportDamage(found: DamagedBlock | DamagedSegment): void {
    const { context, replication, scrubber } = this.#open;
    const segment = context.shards[found.shard]?.segments.find(found.uuid);
    if (segment === undefined) scrubber.copyDamaged(found);
    if (segment === undefined || segment.isLost) return;
    replication.repair(found.shard, segment);
    setAside(context, segment, found);
  }

  status(): StoreStatus {
    const { context, replication } = this.#open;
    const { logBytesMax } = this.#settings;
    return storeStatus(context, { logBytesMax, strain: replication.strain });
  }

  retention(): RetentionView {
    const { clock, shards } = this.#open.context;
    return retentionView(shards, this.#settings.retention, clock.now());
  }

  seal(): Promise<void> {
    return this.#open.maintenance.sealAll();
  }

  settle(): Promise<void> {
    return this.#open.maintenance.sealAll(true);
  }

  merge(): Promise<void> {
    return this.#open.maintenance.mergeAll();
  }

  retain(): Promise<void> {
    return this.#open.maintenance.dropExpired();
  }

  scrub(): Promise<void> {
    return this.#open.scrubber.scrubAll();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { appender, context, maintenance, replication, scrubber } = this.#open;
    appender.stop();
    const serving = context.shards.filter(({ state }) => state.kind === "serving");
    const drained = serving.map((shard) => shard.drained());
    const idle = Promise.all([
      replication.drain(),
      maintenance.stop(),
      scrubber.stop(),
      ...drained,
    ]);
    // A manifest without its coordinator may never answer; what is left is settled at the next start.
    const tooLong = Promise.withResolvers<void>();
    const timer = setTimeout(tooLong.resolve, closeWaitMs);
    await Promise.race([idle, tooLong.promise]);
    clearTimeout(timer);
    await replication.stop();
    const isNoted = context.log.failure === undefined && (await noteCommitted(context, serving));
    this.#retiring.close();
    // Without its files, the log's end is known only by what was noted.
    await context.log.close({ discard: isNoted });
  }

  get #open(): Parts {
    assert(this.#parts !== undefined, "a store is used after it was opened");
    return this.#parts;
  }

  #committed(batch: MemoryBatch): void {
    this.#tell(this.#listeners, batch);
    const { context, maintenance } = this.#open;
    maintenance.committed(context.shards[batch.shard]!);
  }

  #tell<Event>(listeners: ReadonlySet<(event: Event) => void>, event: Event): void {
    for (const listener of listeners) {
      try {
        listener(event);
      } catch (thrown) {
        this.#options.logger.error({ err: thrown }, "a listener of the store failed");
      }
    }
  }

  /** Half of the log is in use: what holds its oldest file is sealed, here or by the owners of what this node follows. */
  #logFills(): void {
    if (this.#parts === undefined) return;
    const { context, maintenance, replication } = this.#parts;
    maintenance.sealForLog();
    replication.wantSeals(context.log.oldest?.unsealed.keys() ?? []);
  }

  /** The disk is not to be trusted any more: the node gives up its shards on it. */
  #failed(error: ServiceError): void {
    for (const host of this.#hosts) host.failed(error);
    for (const shard of this.#parts?.context.shards ?? []) shard.stop(error);
  }
}

interface Parts {
  readonly context: StoreContext;
  readonly appender: Appender;
  readonly maintenance: Maintenance;
  readonly replication: Replication;
  readonly scrubber: Scrubber;
}
