import { messageOf } from "../../../kit/src/errors.ts";
import { rewriteOldest } from "../log/rewrite-oldest.ts";
import type { StoreContext } from "./context.ts";
import { dropExpired, emptyTrash } from "./dropping.ts";
import {
  diskLookEveryMs,
  maintenanceRetryMs,
  maintenanceTickMs,
  mergeBusyBytesMax,
  mergeBusyCount,
  mergeBusyMs,
  mergeCalmMs,
  mergeSoonBytesMax,
  retentionEveryMs,
  rewriteAfterMs,
  sealArenaBytesShare,
  sealArenaShare,
  sealBatchesMax,
  sealBytes,
  sealDeletedMs,
  sealMoreAfterMs,
  sealQuietBatches,
  sealQuietBytes,
  sealQuietMs,
  sealRows,
} from "./limits.ts";
import { mergeOnce } from "./merging.ts";
import type { RetentionLimits } from "./retention.ts";
import { rewriteOnce } from "./rewriting.ts";
import { sealShard } from "./sealing.ts";
import type { Shard } from "./shard.ts";
import { isInMemory } from "./tombstone-progress.ts";

export interface MaintenanceOptions {
  /** Records stay in memory no longer than this. */
  readonly sealAgeMs: number;
  /** Shards that are sealed side by side; one more when a request has long waited for memory. */
  readonly sealsAtOnce: number;
  readonly retention: RetentionLimits;
}

/**
 * Seals, merges and drops when it is time. Few seals and one merge at a time; what fails is
 * logged and tried again after a pause. Appends go on beside all of it.
 */
export class Maintenance {
  readonly #context: StoreContext;
  readonly #options: MaintenanceOptions;
  readonly #ticker: NodeJS.Timeout;
  /** Shards to be sealed, in this order, each with whether also without records. */
  readonly #due = new Map<Shard, boolean>();
  readonly #sealing = new Map<Shard, Promise<void>>();
  #merging: Promise<void> | undefined;
  #dropping: Promise<void> | undefined;
  #pausedUntilMs = Number.NEGATIVE_INFINITY;
  #retentionAtMs = Number.NEGATIVE_INFINITY;
  #diskAtMs = Number.NEGATIVE_INFINITY;
  /** When a shard was last sealed because it, or the arena, was full. */
  #fullAtMs = Number.NEGATIVE_INFINITY;
  #isLogWaiting = false;
  #logFillsAtMs: number | undefined;
  #rewriting: Promise<void> | undefined;
  #isStopped = false;

  constructor(context: StoreContext, options: MaintenanceOptions) {
    this.#context = context;
    this.#options = options;
    this.#ticker = setInterval(() => this.#tick(), maintenanceTickMs).unref();
  }

  /** After each commit to the shard: cheap. */
  committed(shard: Shard): void {
    if (!isFull(shard)) this.checkMemory();
    // One that is being sealed holds its records until that is done.
    else if (!this.#sealing.has(shard)) this.#sealFull(shard);
  }

  /** Seals something where the arena is filling. */
  checkMemory(): void {
    if (this.#isMemoryTight()) this.makeRoom();
  }

  /** Seals what has been in memory for longest: its slabs are the next to be free. `waitedMs`: how long a request has waited for that. */
  makeRoom(waitedMs = 0): void {
    // The worker that would have decoded it has nothing else to do.
    if (waitedMs >= sealMoreAfterMs) this.#sealNext(this.#options.sealsAtOnce + 1);
    if (this.#due.size > 0 || this.#sealing.size > 0) return;
    let oldest: Shard | undefined;
    for (const shard of this.#context.shards) {
      const { sinceMs } = shard.memtable;
      if (sinceMs !== undefined && sinceMs < (oldest?.memtable.sinceMs ?? Infinity)) oldest = shard;
    }
    if (oldest !== undefined) this.#sealFull(oldest);
  }

  /** The log is half full: every shard with an unsealed entry is sealed, with records or without. */
  sealForLog(): void {
    this.#isLogWaiting = true;
    this.#sealLog();
  }

  /** Another replica's log is full of what this shard has not sealed. */
  sealSoon(shard: Shard): void {
    this.#seal(shard, true);
  }

  /** Seals every shard that has records now, or any unsealed entry; resolves when that is done. */
  async sealAll(evenWithoutRows = false): Promise<void> {
    await this.#sealed();
    this.#pausedUntilMs = Number.NEGATIVE_INFINITY;
    for (const shard of this.#context.shards) this.#seal(shard, evenWithoutRows);
    await this.#sealed();
  }

  /** Takes out what is deleted, and merges until nothing is worth it. */
  async mergeAll(): Promise<void> {
    await this.#merging;
    this.#merge({ countMin: undefined, bytesMax: Number.POSITIVE_INFINITY });
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
    await Promise.all([this.#sealed(), this.#merging, this.#dropping, this.#rewriting]);
  }

  #tick(): void {
    const nowMs = this.#context.clock.monotonicMs();
    this.checkMemory();
    if (this.#isLogWaiting) this.#sealLog();
    for (const shard of this.#context.shards) {
      if (this.#sealing.has(shard)) continue;
      const isDue = this.#isOld(shard, nowMs) || isWorthIt(shard, nowMs) || this.#isDeleted(shard);
      if (isDue) this.#seal(shard, false);
    }
    this.#rewriteLog(nowMs);
    this.#mergeIfWorthIt(nowMs);
    if (nowMs - this.#diskAtMs >= diskLookEveryMs) {
      this.#diskAtMs = nowMs;
      this.#lookAtDisk();
    }
    if (nowMs >= this.#retentionAtMs) {
      // What a shard holds is known once it serves: until then it is looked at again soon.
      const { retentionClock, shards } = this.#context;
      const isUncertain = retentionClock.nowMs() === undefined;
      const isWaiting = isUncertain || shards.some(({ state }) => state.kind === "waiting");
      this.#retentionAtMs = nowMs + (isWaiting ? diskLookEveryMs : retentionEveryMs);
      this.#drop();
    }
  }

  /** A log that has long been half full, whoever was asked for seals: what the first file still has is written again. */
  #rewriteLog(nowMs: number): void {
    const { log } = this.#context;
    if (!log.isFilling) this.#logFillsAtMs = undefined;
    else this.#logFillsAtMs ??= nowMs;
    const sinceMs = nowMs - (this.#logFillsAtMs ?? nowMs);
    if (sinceMs < rewriteAfterMs || this.#rewriting !== undefined || this.#isStopped) return;
    this.#rewriting = this.#attempt("log", async () => {
      await rewriteOldest(log);
    }).finally(() => {
      this.#rewriting = undefined;
    });
  }

  /** Whether the arena is filling with what a seal would free, and not with what queries pin. */
  #isMemoryTight(): boolean {
    const { arena, shards } = this.#context;
    if (arena.usedBytes < arena.totalBytes * sealArenaShare) return false;
    const bytes = shards.reduce((sum, { memtable }) => sum + memtable.bytes, 0);
    return bytes > 0 && bytes >= arena.totalBytes * sealArenaBytesShare;
  }

  #isOld({ memtable }: Shard, nowMs: number): boolean {
    return memtable.sinceMs !== undefined && nowMs - memtable.sinceMs >= this.#options.sealAgeMs;
  }

  /** Whether records in memory have been waiting to be deleted. */
  #isDeleted(shard: Shard): boolean {
    const beforeMs = this.#context.clock.now() - sealDeletedMs;
    return shard.once.tombstones.all.some(
      (placed) => placed.createdMs < beforeMs && isInMemory(shard, placed),
    );
  }

  #sealFull(shard: Shard): void {
    this.#fullAtMs = this.#context.clock.monotonicMs();
    this.#seal(shard, false);
  }

  #sealLog(): void {
    if (this.#isPaused()) return;
    this.#isLogWaiting = false;
    // The largest first: a log file goes when all of its shards are sealed, and those take longest.
    const shards = [...this.#context.shards].sort((a, b) => b.memtable.bytes - a.memtable.bytes);
    for (const shard of shards) this.#seal(shard, true);
  }

  #seal(shard: Shard, evenWithoutRows: boolean): void {
    // One that is being taken over commits what it inherits: nothing of it is sealed yet, however full it is.
    if (this.#isPaused() || shard.state.kind !== "serving") return;
    if (!evenWithoutRows && shard.memtable.batches.length === 0) return;
    this.#due.set(shard, evenWithoutRows || this.#due.get(shard) === true);
    this.#sealNext();
  }

  #sealNext(atOnce = this.#options.sealsAtOnce): void {
    for (const [shard, evenWithoutRows] of this.#due) {
      if (this.#isPaused()) this.#due.clear();
      if (this.#sealing.size >= atOnce || this.#isPaused()) return;
      if (this.#sealing.has(shard)) continue;
      this.#due.delete(shard);
      const work = () => sealShard(this.#context, shard, evenWithoutRows);
      const sealing = this.#attempt("seal", work).finally(() => {
        this.#sealing.delete(shard);
        this.committed(shard);
        this.#sealNext();
      });
      this.#sealing.set(shard, sealing);
    }
  }

  /** Resolves when nothing is being sealed, or is to be. */
  async #sealed(): Promise<void> {
    while (this.#sealing.size > 0) await Promise.all(this.#sealing.values());
  }

  /** What is about to be sealed is merged with the rest, and not after it. */
  #mergeIfWorthIt(nowMs: number): void {
    if (this.#due.size > 0 || this.#sealing.size > 0) return;
    const sinceFullMs = nowMs - this.#fullAtMs;
    const isFilling = this.#context.shards.some(({ memtable }) => {
      return memtable.bytes >= sealQuietBytes && nowMs - memtable.latestMs < sealQuietMs;
    });
    if (sinceFullMs < mergeBusyMs || isFilling) {
      this.#merge({ countMin: mergeBusyCount, bytesMax: mergeBusyBytesMax });
    } else {
      const bytesMax = sinceFullMs < mergeCalmMs ? mergeSoonBytesMax : Number.POSITIVE_INFINITY;
      this.#merge({ countMin: undefined, bytesMax });
    }
  }

  #merge(limits: Parameters<typeof mergeOnce>[1]): void {
    if (this.#merging !== undefined || this.#isPaused()) return;
    this.#merging = this.#attempt("merge", async () => {
      // What is to be deleted goes first: until then its segments are merged with none.
      const once = async (): Promise<boolean> =>
        (await rewriteOnce(this.#context)) || mergeOnce(this.#context, limits);
      while (!this.#isStopped && (await once()));
    }).finally(() => {
      this.#merging = undefined;
    });
  }

  #drop(): void {
    if (this.#dropping !== undefined || this.#isStopped) return;
    const { clock, paths, retentionClock, segmentLimits } = this.#context;
    this.#dropping = this.#attempt("retention", async () => {
      await dropExpired(this.#context, this.#options.retention);
      // On a full disk a file that is not wanted back is worth less than the next record.
      const isFull = this.#context.diskLimit.status.isFull;
      const nowMs = isFull ? clock.now() : retentionClock.nowMs();
      const keepMs = isFull ? 0 : segmentLimits.trashKeepMs;
      if (nowMs !== undefined) emptyTrash(paths.trash, keepMs, nowMs);
    }).finally(() => {
      this.#dropping = undefined;
    });
  }

  #lookAtDisk(): void {
    const { diskLimit, logger } = this.#context;
    if (diskLimit.check()) {
      const { refusal, status } = diskLimit;
      if (refusal === undefined) logger.info({ ...status }, "disk has room again");
      else
        logger.error({ ...status }, `${refusal.message}: records are refused until there is room`);
    }
    if (diskLimit.status.isFull) this.#drop();
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

function isFull({ memtable }: Shard): boolean {
  return memtable.rows >= sealRows || memtable.bytes >= sealBytes;
}

/** Queries look at every batch: thousands of small ones cost more than the same rows in a segment. */
function isWorthIt({ memtable }: Shard, nowMs: number): boolean {
  const isQuiet = nowMs - memtable.latestMs >= sealQuietMs;
  const count = memtable.batches.length;
  if (!isQuiet) return count > sealBatchesMax;
  return count > sealQuietBatches || memtable.bytes >= sealQuietBytes;
}
