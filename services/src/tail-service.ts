import { ServiceError } from "../../kit/src/errors.ts";
import type { Logger } from "../../kit/src/logger.ts";
import type { Query } from "../../query/src/language/ast.ts";
import { replayMatches } from "../../query/src/tail/match-replay.ts";
import type { MatchSubscription } from "../../query/src/tail/match-subscription.ts";
import { replayTail } from "../../query/src/tail/replay.ts";
import type { TailSubscription } from "../../query/src/tail/subscription.ts";
import { TailHub, type WatchOptions } from "../../query/src/tail/tail-hub.ts";
import type { TailChunk, TailPlan } from "../../query/src/tail/tail-plan.ts";
import type { ArenaOwner } from "../../storage/src/shard/arena.ts";
import type { MemoryBatch } from "../../storage/src/shard/memtable.ts";
import type { Store } from "../../storage/src/shard/store.ts";
import { storeSource, workerFragments } from "./asking.ts";
import type { WorkerPool } from "./threads/pool.ts";

export interface TailServiceDeps {
  readonly store: Store;
  readonly arena: ArenaOwner;
  readonly pool: WorkerPool;
  readonly bufferBytes: number;
  /** Tails open at once. */
  readonly tailsMax: number;
  readonly logger: Logger;
}

/** Batches matched in one turn of a worker. */
export interface TailJob {
  readonly batches: readonly MemoryBatch[];
  readonly plans: readonly TailPlan[];
}

/** What a worker found, in the order of the batches. */
export type TailFound = readonly ReadonlyMap<string, TailChunk>[];

/** Batches of one turn: more would hold up who waits for the first of them. */
const batchesMax = 256;

/** All of time that a record can have. */
const everything = { from: { ms: 0, ns: 0 }, to: { ms: Number.MAX_SAFE_INTEGER, ns: 0 } };

/** Live tails: matches batches as they are committed, in workers, one turn after the other to keep their order. */
export class TailService {
  readonly #deps: TailServiceDeps;
  readonly #hub = new TailHub();
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

  /** Begins a tail; throws `query.invalid` and `query.busy`. */
  subscribe(tenant: string, query: Query, lastEventId: string | undefined): TailSubscription {
    const { bufferBytes, tailsMax } = this.#deps;
    if (this.#hub.size >= tailsMax) {
      throw new ServiceError("query.busy", "too many tails are open", { tailsMax });
    }
    const positions = this.#positions();
    return this.#hub.subscribe({ tenant, query, positions, lastEventId, bufferBytes });
  }

  /** Begins to count what matches, for a rule; throws `query.invalid`. No bound of clients' tails counts it. */
  watch(options: Omit<WatchOptions, "positions">): MatchSubscription {
    return this.#hub.watch({ ...options, positions: this.#positions() });
  }

  /** Counts what a watch has missed, then lets it go live. Rejects with `query.partial` for want of a shard. */
  replayMatches(
    subscription: MatchSubscription,
    how: { readonly keep: number; readonly timeoutMs: number },
    signal: AbortSignal,
  ): Promise<void> {
    const { store, pool, logger } = this.#deps;
    return replayMatches(subscription, {
      source: storeSource(store),
      pool: workerFragments(pool, store),
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
    this.#hub.unwatch(subscription);
  }

  /** Brings what a resumed tail has missed, then lets it go live. */
  replay(
    subscription: TailSubscription,
    room: () => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const { store, pool, logger } = this.#deps;
    return replayTail(subscription, {
      source: storeSource(store),
      pool: workerFragments(pool, store),
      range: everything,
      signal,
      room,
      onMissing: (missing) => logger.warn({ missing }, "a resumed tail misses what cannot be read"),
    });
  }

  unsubscribe(subscription: TailSubscription): void {
    this.#hub.unsubscribe(subscription);
  }

  close(): void {
    this.#stop();
  }

  /** The committed position of every shard now. */
  #positions(): Map<number, number> {
    const { shards } = this.#deps.store.status();
    return new Map(shards.map(({ shard, committed }) => [shard, committed.position]));
  }

  #committed(batch: MemoryBatch): void {
    if (batch.internal || this.#hub.plansOf(batch.tenant).length === 0) return;
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

  async #match(batches: readonly MemoryBatch[]): Promise<void> {
    const { pool, arena, logger } = this.#deps;
    const tenants = Map.groupBy(batches, ({ tenant }) => tenant);
    for (const [tenant, own] of tenants) {
      const plans = this.#hub.plansOf(tenant);
      let found: TailFound | undefined = [];
      try {
        if (plans.length > 0) {
          const job: TailJob = { batches: own, plans };
          found = await pool.run<TailFound>("tail", job, { lane: "tail" });
        }
      } catch (thrown) {
        logger.error({ err: thrown, tenant }, "committed records could not be matched for tails");
        found = undefined;
      }
      for (const [at, batch] of own.entries()) {
        if (found === undefined) this.#hub.missed(batch);
        else this.#hub.offer(batch, found[at] ?? new Map());
        arena.release(batch.offset, batch.length);
      }
    }
  }
}
