import { messageOf } from "../../../kit/src/errors.ts";
import type { StoreContext } from "./context.ts";
import { dropExpired, emptyTrash } from "./dropping.ts";
import {
  maintenanceRetryMs,
  maintenanceTickMs,
  mergeBusyBytesMax,
  mergeCalmMs,
  retentionEveryMs,
  sealArenaShare,
  sealBatchesMax,
  sealQuietBatches,
  sealQuietMs,
  sealRoundBytesShare,
} from "./limits.ts";
import { mergeOnce } from "./merging.ts";
import type { RetentionLimits } from "./retention.ts";
import { sealShard } from "./sealing.ts";
import type { Shard } from "./shard.ts";

export interface MaintenanceOptions {
  /** Records stay in memory no longer than this. */
  readonly sealAgeMs: number;
  /** Shards that are sealed side by side: as many as there are workers. */
  readonly sealsAtOnce: number;
  readonly retention: RetentionLimits;
}

/** Why a round of seals is due; `log` takes shards without records too, `batches` only those it is about. */
type SealReason = "batches" | "age" | "memory" | "log";

/**
 * Seals, merges and drops when it is time. One round of seals and one merge at a time; what fails is
 * logged and tried again after a pause. Appends go on beside all of it.
 */
export class Maintenance {
  readonly #context: StoreContext;
  readonly #options: MaintenanceOptions;
  readonly #ticker: NodeJS.Timeout;
  #sealing: Promise<void> | undefined;
  #merging: Promise<void> | undefined;
  #dropping: Promise<void> | undefined;
  #pausedUntilMs = Number.NEGATIVE_INFINITY;
  #retentionAtMs = Number.NEGATIVE_INFINITY;
  /** When the arena last was so full that it had to be sealed. */
  #memorySealAtMs = Number.NEGATIVE_INFINITY;
  #isLogWaiting = false;
  #isStopped = false;

  constructor(context: StoreContext, options: MaintenanceOptions) {
    this.#context = context;
    this.#options = options;
    this.#ticker = setInterval(() => this.#tick(), maintenanceTickMs).unref();
  }

  /** After each commit: cheap. */
  checkMemory(): void {
    if (this.#sealing === undefined && this.#isMemoryTight()) this.#seal("memory");
  }

  /** The log is half full: every shard with an unsealed entry is sealed, with records or without. */
  sealForLog(): void {
    this.#isLogWaiting = true;
    this.#seal("log");
  }

  /** Seals every shard that has records now; resolves when that is done. */
  async sealAll(): Promise<void> {
    await this.#sealing;
    this.#pausedUntilMs = Number.NEGATIVE_INFINITY;
    this.#seal("age");
    await this.#sealing;
  }

  /** Merges until nothing is worth it. */
  async mergeAll(): Promise<void> {
    await this.#merging;
    this.#merge();
    await this.#merging;
  }

  async dropExpired(): Promise<void> {
    await this.#dropping;
    this.#drop();
    await this.#dropping;
  }

  /** Begins nothing more, and waits for what is under way. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#ticker);
    await Promise.all([this.#sealing, this.#merging, this.#dropping]);
  }

  #tick(): void {
    const nowMs = this.#context.clock.monotonicMs();
    this.checkMemory();
    if (this.#isLogWaiting) this.#seal("log");
    const oldest = this.#context.shards.some(({ memtable }) => {
      return memtable.sinceMs !== undefined && nowMs - memtable.sinceMs >= this.#options.sealAgeMs;
    });
    if (oldest) this.#seal("age");
    if (this.#context.shards.some((shard) => this.#hasManyBatches(shard))) this.#seal("batches");
    this.#merge();
    if (nowMs - this.#retentionAtMs >= retentionEveryMs) {
      this.#retentionAtMs = nowMs;
      this.#drop();
    }
  }

  /** Whether the arena is filling with what a seal would free, and not with what queries pin. */
  #isMemoryTight(): boolean {
    const { arena, shards } = this.#context;
    if (arena.usedBytes < arena.totalBytes * sealArenaShare) return false;
    const bytes = shards.reduce((sum, { memtable }) => sum + memtable.bytes, 0);
    return bytes >= arena.totalBytes * sealRoundBytesShare;
  }

  /** Queries look at every batch: thousands of small ones cost more than the same rows in a segment. */
  #hasManyBatches({ memtable }: Shard): boolean {
    const quietMs = this.#context.clock.monotonicMs() - memtable.latestMs;
    const most = quietMs >= sealQuietMs ? sealQuietBatches : sealBatchesMax;
    return memtable.batches.length > most;
  }

  #seal(reason: SealReason): void {
    if (this.#sealing !== undefined || this.#isPaused()) return;
    this.#sealing = this.#attempt("seal", () => this.#sealRound(reason)).finally(() => {
      this.#sealing = undefined;
      this.checkMemory();
    });
  }

  async #sealRound(reason: SealReason): Promise<void> {
    if (reason === "log") this.#isLogWaiting = false;
    if (reason === "memory") this.#memorySealAtMs = this.#context.clock.monotonicMs();
    // The largest first: its slabs are most of what is waited for.
    const queue = this.#context.shards
      .filter((shard) => reason !== "batches" || this.#hasManyBatches(shard))
      .sort((a, b) => b.memtable.bytes - a.memtable.bytes);
    const lane = async (): Promise<void> => {
      for (let shard = queue.shift(); shard !== undefined; shard = queue.shift()) {
        if (this.#isStopped) return;
        await sealShard(this.#context, shard, reason === "log");
      }
    };
    await Promise.all(Array.from({ length: this.#options.sealsAtOnce }, lane));
  }

  #merge(): void {
    if (this.#merging !== undefined || this.#isPaused()) return;
    this.#merging = this.#attempt("merge", async () => {
      while (!this.#isStopped && (await mergeOnce(this.#context, this.#mergeBytesMax())));
    }).finally(() => {
      this.#merging = undefined;
    });
  }

  /** A worker in the middle of a long merge seals nothing, and the arena fills behind it. */
  #mergeBytesMax(): number {
    const sinceSealMs = this.#context.clock.monotonicMs() - this.#memorySealAtMs;
    return sinceSealMs < mergeCalmMs ? mergeBusyBytesMax : Number.POSITIVE_INFINITY;
  }

  #drop(): void {
    if (this.#dropping !== undefined || this.#isStopped) return;
    const { clock, paths, segmentLimits } = this.#context;
    this.#dropping = this.#attempt("retention", async () => {
      await dropExpired(this.#context, this.#options.retention);
      emptyTrash(paths.trash, segmentLimits.trashKeepMs, clock.now());
    }).finally(() => {
      this.#dropping = undefined;
    });
  }

  #isPaused(): boolean {
    return this.#isStopped || this.#context.clock.monotonicMs() < this.#pausedUntilMs;
  }

  async #attempt(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (thrown) {
      if (this.#isStopped) return;
      const { clock, counts, logger } = this.#context;
      this.#pausedUntilMs = clock.monotonicMs() + maintenanceRetryMs;
      counts.maintenanceFailures++;
      logger.error({ err: thrown, reason: messageOf(thrown) }, `${what} failed, trying again`);
    }
  }
}
