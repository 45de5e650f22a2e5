import { assert } from "../../kit/src/assert.ts";
import { ServiceError } from "../../kit/src/errors.ts";
import type { Logger } from "../../kit/src/logger.ts";
import type { Query } from "../../query/src/language/ast.ts";
import { replayMatches } from "../../query/src/tail/match-replay.ts";
import type { MatchSubscription } from "../../query/src/tail/match-subscription.ts";
import { replayTail } from "../../query/src/tail/replay.ts";
import type { TailSubscription } from "../../query/src/tail/subscription.ts";
import { TailHub, type TailListener, type WatchOptions } from "../../query/src/tail/tail-hub.ts";
import { planTail, type TailChunk, type TailPlan } from "../../query/src/tail/tail-plan.ts";
import type { ArenaOwner } from "../../storage/src/shard/arena.ts";
import type { MemoryBatch } from "../../storage/src/shard/memtable.ts";
import type { Store } from "../../storage/src/shard/store.ts";
import type { TailFeeds, TailFollowing } from "./fan-out/tail-feeds.ts";
import type { Reading } from "./reading.ts";
import type { WorkerPool } from "./threads/pool.ts";

export interface TailServiceDeps {
  readonly store: Store;
  readonly arena: ArenaOwner;
  readonly pool: WorkerPool;
  /** Where what was missed is read. */
  readonly reading: Reading;
  /** Follows what other nodes commit, where there may be others. */
  readonly following?: TailFollowing | undefined;
  readonly bufferBytes: number;
  /** Tails open at once. */
  readonly tailsMax: number;
  readonly logger: Logger;
}

/** Batches matched in one turn of a worker. */
export interface TailJob {
  readonly batches: readonly MemoryBatch[];
  readonly tenant: string;
  /** Of the tenant's plans. */
  readonly version: number;
  /** Left out at first: most workers have them from an earlier job. */
  readonly plans: readonly TailPlan[] | undefined;
}

/** What a worker found, in the order of the batches; a worker without the plans answers undefined. */
export type TailFound = readonly ReadonlyMap<string, TailChunk>[];

/** Batches of one turn: more would hold up who waits for the first of them. */
const batchesMax = 256;

/** How long what a resumed tail has missed may stay open: a slow client reads it at its own pace. */
const replayMs = 60 * 60 * 1000;

/** All of time that a record can have. */
const everything = { from: { ms: 0, ns: 0 }, to: { ms: Number.MAX_SAFE_INTEGER, ns: 0 } };

/** Live tails: matches batches as they are committed, in workers, one turn after the other to keep their order. */
export class TailService {
  readonly #deps: TailServiceDeps;
  readonly #hub = new TailHub();
  readonly #feeds = new Map<TailSubscription | MatchSubscription, TailFeeds>();
  readonly #stop: () => void;
  #waiting: MemoryBatch[] = [];
  #running: Promise<void> | undefined;

  constructor(deps: TailServiceDeps) {
    this.#deps = deps;
    this.#stop = deps.store.onCommitted((batch) => this.#committed(batch));
  }

  get size(): number {
    return this.#hub.size;
  }

  /** Begins a tail; rejects with `query.invalid`, `query.busy`, and `query.partial` while a shard has no owner. */
  async subscribe(
    tenant: string,
    query: Query,
    lastEventId: string | undefined,
  ): Promise<TailSubscription> {
    const { bufferBytes, tailsMax } = this.#deps;
    if (this.#hub.size >= tailsMax) {
      throw new ServiceError("query.busy", "too many tails are open", { tailsMax });
    }
    const feeds = await this.#follow(tenant, planTail("", query));
    try {
      const positions = this.#positions(feeds);
      const subscription = this.#hub.subscribe({
        ...{ tenant, query, positions, lastEventId, bufferBytes },
      });
      this.#start(subscription, feeds);
      return subscription;
    } catch (thrown) {
      feeds?.close();
      throw thrown;
    }
  }

  /** Begins to count what matches, for a rule; rejects as `subscribe`. No bound of clients' tails counts it. */
  async watch(options: Omit<WatchOptions, "positions">): Promise<MatchSubscription> {
    const { tenant, query, keep } = options;
    const feeds = await this.#follow(tenant, { ...planTail("", query), keep });
    try {
      const positions = this.#positions(feeds);
      const subscription = this.#hub.watch({ ...options, positions });
      this.#start(subscription, feeds);
      return subscription;
    } catch (thrown) {
      feeds?.close();
      throw thrown;
    }
  }

  /** Lets another node follow what is committed here. */
  listen(listener: TailListener): ReadonlyMap<number, number> {
    this.#hub.listen(listener);
    return this.#positions(undefined);
  }

  unlisten(listener: TailListener): void {
    this.#hub.unlisten(listener);
  }

  #follow(tenant: string, plan: TailPlan): Promise<TailFeeds> | undefined {
    return this.#deps.following?.open(tenant, plan);
  }

  #start(subscription: TailSubscription | MatchSubscription, feeds: TailFeeds | undefined): void {
    if (feeds === undefined) return;
    this.#feeds.set(subscription, feeds);
    feeds.start(
      (shard, position, chunk) => subscription.offer(shard, position, chunk),
      () => subscription.breakOff(),
    );
  }

  #unfollow(subscription: TailSubscription | MatchSubscription): void {
    this.#feeds.get(subscription)?.close();
    this.#feeds.delete(subscription);
  }

  /** Counts what a watch has missed, then lets it go live. Rejects with `query.partial` for want of a shard. */
  replayMatches(
    subscription: MatchSubscription,
    how: { readonly keep: number; readonly timeoutMs: number },
    signal: AbortSignal,
  ): Promise<void> {
    const { reading, logger } = this.#deps;
    const { timeoutMs } = how;
    return replayMatches(subscription, {
      ...reading.answering({ timeoutMs, signal }),
      range: everything,
      signal,
      onMissing: (missing) => {
        // A shard without an owner will be there again; what is damaged will not.
        if (missing.some((name) => /^shard \d+$/.test(name))) {
          throw new ServiceError("query.partial", "some shards do not answer", { missing });
        }
        logger.warn({ missing }, "a match rule misses what cannot be read");
      },
      ...how,
    });
  }

  unwatch(subscription: MatchSubscription): void {
    this.#unfollow(subscription);
    this.#hub.unwatch(subscription);
  }

  /** Brings what a resumed tail has missed, then lets it go live. */
  replay(
    subscription: TailSubscription,
    room: () => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const { reading, logger } = this.#deps;
    return replayTail(subscription, {
      ...reading.answering({ timeoutMs: replayMs, signal }),
      range: everything,
      signal,
      room,
      onMissing: (missing) => logger.warn({ missing }, "a resumed tail misses what cannot be read"),
    });
  }

  unsubscribe(subscription: TailSubscription): void {
    this.#unfollow(subscription);
    this.#hub.unsubscribe(subscription);
  }

  close(): void {
    this.#stop();
  }

  /** The committed position of every shard now; where other nodes have some, of those that this one serves. */
  #positions(feeds: TailFeeds | undefined): Map<number, number> {
    const { following, store } = this.#deps;
    const { shards } = store.status();
    const own = following === undefined ? shards : shards.filter((one) => one.state === "serving");
    const positions = new Map(own.map(({ shard, committed }) => [shard, committed.position]));
    for (const [shard, position] of feeds?.positions ?? []) positions.set(shard, position);
    return positions;
  }

  #committed(batch: MemoryBatch): void {
    if (batch.internal || this.#hub.plansOf(batch.tenant) === undefined) return;
    this.#deps.arena.retain(batch.offset, batch.length);
    this.#waiting.push(batch);
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    // What is committed in the same turn of the loop is matched together.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#waiting.length > 0) await this.#match(this.#waiting.splice(0, batchesMax));
    this.#running = undefined;
  }

  /** Tenants side by side, so that one with many rules does not hold up the others. */
  async #match(batches: readonly MemoryBatch[]): Promise<void> {
    const tenants = Map.groupBy(batches, ({ tenant }) => tenant);
    await Promise.all([...tenants].map(([tenant, own]) => this.#matchOf(tenant, own)));
  }

  async #matchOf(tenant: string, batches: readonly MemoryBatch[]): Promise<void> {
    const { arena, logger } = this.#deps;
    let found: TailFound | undefined;
    try {
      found = await this.#find(tenant, batches);
    } catch (thrown) {
      logger.error({ err: thrown, tenant }, "committed records could not be matched for tails");
    }
    for (const [at, batch] of batches.entries()) {
      if (found === undefined) this.#hub.missed(batch);
      else this.#hub.offer(batch, found[at] ?? new Map());
      arena.release(batch.offset, batch.length);
    }
  }

  async #find(tenant: string, batches: readonly MemoryBatch[]): Promise<TailFound> {
    const { pool } = this.#deps;
    const set = this.#hub.plansOf(tenant);
    if (set === undefined) return [];
    const { version, plans } = set;
    const ask = (sent: TailJob["plans"]): Promise<TailFound | undefined> => {
      const job: TailJob = { batches, tenant, version, plans: sent };
      return pool.run<TailFound | undefined>("tail", job, { lane: "tail" });
    };
    const found = (await ask(undefined)) ?? (await ask(plans));
    assert(found !== undefined, "a worker that was given plans uses them");
    return found;
  }
}
