import { assert } from "../../../kit/src/assert.ts";
import type { ServiceError } from "../../../kit/src/errors.ts";
import type { Assignment } from "../replication/core/owner.ts";
import { ShardReplica } from "../replication/core/replica.ts";
import type { KeptCopies } from "../replication/kept-copies.ts";
import { handOverHoldMs } from "../replication/limits.ts";
import type { Recovered, ReplicaHost, Settled } from "../replication/replica-host.ts";
import { Replication } from "../replication/replication.ts";
import { noLinks, noSource } from "../replication/solo.ts";
import type { AppendPart, AppendResult } from "./append.ts";
import { Appender, type IdempotencyResult } from "./appender.ts";
import { type BackupCut, committedEnds, takeBackupCut } from "./backup-cut.ts";
import type { StoreContext } from "./context.ts";
import { type CutPart, type CutRange, openCut, openCutWhenLeased, type StoreCut } from "./cut.ts";
import type { DamagedBlock, DamagedSegment } from "./damage-list.ts";
import type { IdempotencyRecord } from "./idempotency-table.ts";
import { closeWaitMs } from "./limits.ts";
import { Maintenance } from "./maintenance.ts";
import type { MemoryBatch } from "./memtable.ts";
import { noteCommitted } from "./note-committed.ts";
import { openContext } from "./open-context.ts";
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
import type { Shard } from "./shard.ts";
import { type StoreStatus, storeStatus } from "./status.ts";
import type { Store } from "./store.ts";
import { type StoreOptions, settingsOf } from "./store-options.ts";
import type { Deletion, Tombstone } from "./tombstone.ts";
import { type TombstoneStatus, tombstoneStatus } from "./tombstone-progress.ts";

/** A store, from its opening to its close. */
export class OpenStore implements Store {
  readonly #options: StoreOptions;
  readonly #settings: ReturnType<typeof settingsOf>;
  readonly #listeners = new Set<(batch: MemoryBatch) => void>();
  readonly #segmentListeners = new Set<(change: SegmentChange) => void>();
  readonly #retiring: Retiring;
  /** By shard; filled once the store is open. */
  readonly #hosts: ReplicaHost[] = [];
  #context: StoreContext | undefined;
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
    this.#context = context;
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
      leftKeepMs: this.#settings.segmentLimits.trashKeepMs,
      onSealWanted: (shard) => maintenance.sealSoon(shard),
    });
    this.#hosts.push(...made.hosts);
    return made;
  }

  /** After a start that failed. */
  async abandon(): Promise<void> {
    await this.#context?.log.close();
  }

  #openContext(): Promise<StoreContext> {
    return openContext(this.#options, this.#settings, {
      hosts: this.#hosts,
      retiring: this.#retiring,
      onLogFills: () => this.#logFills(),
      onLogFailed: (error) => this.#failed(error),
      onCommitted: (batch) => this.#committed(batch),
      onSegments: (change) => this.#tell(this.#segmentListeners, change),
      reportDamage: (found) => this.reportDamage(found),
      repair: (shard, segment) => this.#parts?.replication.repair(shard, segment),
    });
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

  keptCopies(): readonly KeptCopies[] {
    return this.#open.replication.keptCopies();
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
