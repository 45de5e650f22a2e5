import { randomBytes } from "node:crypto";
import type { Peers } from "../../../cluster/src/peers/peers.ts";
import { routedCallBytesMax } from "../../../ingest/src/limits.ts";
import { destinationsOf, type Routed } from "../../../ingest/src/routing/destinations.ts";
import { Hold, isPassing, isUnknown } from "../../../ingest/src/routing/hold.ts";
import type { Clock } from "../../../kit/src/clock.ts";
import { ServiceError, serviceErrorOf } from "../../../kit/src/errors.ts";
import type { AppendPart, AppendResult } from "../../../storage/src/shard/append.ts";
import type { IdempotencyResult } from "../../../storage/src/shard/appender.ts";
import type { ArenaOwner } from "../../../storage/src/shard/arena.ts";
import { routerKey } from "../../../storage/src/shard/dedupe-key.ts";
import {
  homeShardOf,
  type IdempotencyRecord,
} from "../../../storage/src/shard/idempotency-table.ts";
import type { Store } from "../../../storage/src/shard/store.ts";
import type { Tombstone } from "../../../storage/src/shard/tombstone.ts";
import { HeldMemory } from "./held-memory.ts";
import { heldArenaShareMax, movingMsMax, stopHoldMs } from "./limits.ts";
import { RemoteShards } from "./remote-shards.ts";
import type { RoutedOwners } from "./topology-owners.ts";
import type { Writes } from "./writes.ts";

export interface RouterDeps {
  readonly peers: Peers;
  readonly owners: RoutedOwners;
  /** Of this node. */
  readonly store: Store;
  readonly arena: ArenaOwner;
  /** How many other nodes there are now. */
  readonly others: () => number;
  readonly clock: Clock;
  /** How long is held what cannot be stored; `routeHoldMs` unless told. */
  readonly patienceMs?: number;
  /** Bytes that are held for shards which take nothing for longer than a move; a share of the arena unless told. */
  readonly heldBytesMax?: number;
  /** How long that is; `movingMsMax` unless told. */
  readonly movingMs?: number;
}

/** Since the process started, but for what is held now. */
export interface RouterCounts {
  /** Parts that were sent to other nodes, and their bytes; those that were sent again count again. */
  sentParts: number;
  sentBytes: number;
  /** Parts and questions that were tried again. */
  retries: number;
  /** Parts and questions that wait for an owner now. */
  held: number;
  /** Those whose wait was in vain. */
  givenUp: number;
}

/** A thing that was not done, by its place, and the node that was tried; without an error, nobody was. */
interface Failed {
  readonly place: number;
  readonly node: number | undefined;
  readonly error: ServiceError | undefined;
}

/** What became of one thing that was tried at an owner. */
type Tried<T> = { readonly done: T } | { readonly error: ServiceError };

/**
 * Writes to the owner of each shard, wherever it is: what is owned here goes straight into the store, the rest to other nodes. While a shard
 * moves or has no owner, what is for it is held and tried again; each part carries a key, so that it is stored once however often it is sent.
 */
export class Router implements Writes {
  readonly #deps: RouterDeps;
  readonly #remote: RemoteShards;
  /** With a running number: what a shard knows a part by. */
  readonly #incarnation = randomBytes(8);
  #sequence = 0;
  readonly #counts: RouterCounts = { sentParts: 0, sentBytes: 0, retries: 0, held: 0, givenUp: 0 };
  readonly #held: HeldMemory;
  /** When nothing is held any more. */
  #stopMs = Number.POSITIVE_INFINITY;

  constructor(deps: RouterDeps) {
    this.#deps = deps;
    this.#remote = new RemoteShards(deps);
    const { heldBytesMax = deps.arena.totalBytes * heldArenaShareMax, movingMs = movingMsMax } =
      deps;
    this.#held = new HeldMemory(heldBytesMax, movingMs);
  }

  get counts(): Readonly<RouterCounts> {
    return this.#counts;
  }

  pressure(): ServiceError | undefined {
    return this.#deps.store.pressure();
  }

  room(timeoutMs: number, bytes?: number): Promise<void> {
    return this.#deps.store.room(timeoutMs, bytes);
  }

  /** See `Store.append`; the parts keep their place in the arena until all are stored or given up. */
  append(parts: readonly AppendPart[], isWanted?: () => boolean): Promise<AppendResult[]> {
    const { store, others } = this.#deps;
    // No other can take a shard over from a node that is alone: its parts need no key.
    if (others() === 0 && parts.every(({ shard }) => store.serves(shard))) {
      return store.append(parts);
    }
    return this.#append(
      parts.map((part) => this.#keyed(part)),
      isWanted,
    );
  }

  async commitIdempotency(
    record: IdempotencyRecord,
    isWanted?: () => boolean,
  ): Promise<IdempotencyResult> {
    const { store, owners } = this.#deps;
    const shard = homeShardOf(record.tenant, record.key, owners.shardCount);
    const results = await this.#everywhere(
      [shard],
      (node) =>
        node === undefined
          ? store.commitIdempotency(record)
          : this.#remote.commitIdempotency(node, record),
      isWanted,
    );
    return results.get(shard)!;
  }

  async addTombstone(tombstone: Tombstone, shards = this.#allShards()): Promise<void> {
    const { store } = this.#deps;
    await this.#everywhere(shards, (node, shard) =>
      node === undefined
        ? store.addTombstone(tombstone, [shard])
        : this.#remote.addTombstone(node, shard, tombstone),
    );
  }

  lastStored(source: string, shards = this.#allShards()): Promise<ReadonlyMap<number, bigint>> {
    const { store } = this.#deps;
    return this.#everywhere(shards, async (node, shard) => {
      if (node !== undefined) return this.#remote.lastStored(node, shard, source);
      return (await store.lastStored(source, [shard])).get(shard)!;
    });
  }

  /** Holds nothing for long any more: shards that this node gives up have a moment to go to others. */
  stop(): void {
    this.#stopMs = Math.min(this.#stopMs, this.#deps.clock.monotonicMs() + stopHoldMs);
  }

  #allShards(): readonly number[] {
    return Array.from({ length: this.#deps.owners.shardCount }, (_, shard) => shard);
  }

  #keyed(part: AppendPart): AppendPart & { readonly dedupeKey: Uint8Array } {
    const { dedupeKey = routerKey(this.#incarnation, this.#sequence++) } = part;
    return { ...part, dedupeKey };
  }

  async #append(
    parts: readonly (AppendPart & { readonly dedupeKey: Uint8Array })[],
    isWanted: (() => boolean) | undefined,
  ): Promise<AppendResult[]> {
    const { arena, peers } = this.#deps;
    for (const { offset, length } of parts) arena.retain(offset, length);
    /** Of the connections that still send from the arena. */
    const sending: Promise<void>[] = [];
    try {
      const attempt = (node: number, places: readonly number[]) => {
        const some = places.map((place) => parts[place] as (typeof parts)[number]);
        if (node === peers.self.nodeId) return this.#appendHere(some);
        this.#counts.sentParts += some.length;
        for (const { length } of some) this.#counts.sentBytes += length;
        return this.#remote.append(node, some, sending);
      };
      return await this.#settle(parts, attempt, isWanted);
    } finally {
      const release = (): void => {
        for (const { offset, length } of parts) arena.release(offset, length);
      };
      if (sending.length === 0) release();
      else void Promise.all(sending).then(release);
    }
  }

  /** Each shard for itself: one that waits for its takeover holds up no other. */
  async #appendHere(parts: readonly AppendPart[]): Promise<Tried<AppendResult>[]> {
    const { store } = this.#deps;
    const tried: Tried<AppendResult>[] = [];
    const byShard = Map.groupBy(parts.keys(), (at) => (parts[at] as AppendPart).shard);
    await Promise.all(
      [...byShard.values()].map(async (places) => {
        try {
          const results = await store.append(places.map((at) => parts[at] as AppendPart));
          for (const [i, at] of places.entries()) tried[at] = { done: results[i] as AppendResult };
        } catch (thrown) {
          for (const at of places) tried[at] = { error: serviceErrorOf(thrown) };
        }
      }),
    );
    return tried;
  }

  /** Asks the owner of each shard for itself; `node` is undefined for this one. */
  async #everywhere<T>(
    shards: readonly number[],
    ask: (node: number | undefined, shard: number) => Promise<T>,
    isWanted?: () => boolean,
  ): Promise<ReadonlyMap<number, T>> {
    const { nodeId } = this.#deps.peers.self;
    const things = shards.map((shard) => ({ shard, length: 0 }));
    const askOne = async (node: number, place: number): Promise<Tried<T>> => {
      try {
        const { shard } = things[place] as Routed;
        return { done: await ask(node === nodeId ? undefined : node, shard) };
      } catch (thrown) {
        return { error: serviceErrorOf(thrown) };
      }
    };
    const attempt = (node: number, places: readonly number[]) =>
      Promise.all(places.map((place) => askOne(node, place)));
    const results = await this.#settle(things, attempt, isWanted);
    return new Map(shards.map((shard, at) => [shard, results[at] as T]));
  }

  /**
   * Tries each thing at the owner of its shard until it is done. Rejects with the first error that does not pass, once all tries of that
   * round are over, and with `ingest.unavailable` when the patience is at its end, when too much is held for shards that take nothing,
   * or nobody wants to know any more.
   */
  async #settle<T>(
    things: readonly Routed[],
    attempt: (node: number, places: readonly number[]) => Promise<readonly Tried<T>[]>,
    isWanted: () => boolean = () => true,
  ): Promise<T[]> {
    const { owners, clock, patienceMs, peers, store } = this.#deps;
    const hold = new Hold(clock.monotonicMs(), patienceMs);
    const results: T[] = [];
    const shardOf = (place: number): number => (things[place] as Routed).shard;
    const bytes = things.reduce((sum, { length }) => sum + length, 0);
    // What the store itself says is newer than what its znodes do.
    const nodeOf = (shard: number): number | undefined =>
      store.serves(shard) ? peers.self.nodeId : owners.nodeOf(shard);
    let places: readonly number[] = [...things.keys()];
    let isMaybeStored = false;
    for (;;) {
      const failed: Failed[] = [];
      const { changes } = owners;
      await Promise.all(
        destinationsOf(things, places, nodeOf, routedCallBytesMax).map(async ({ node, places }) => {
          const tried = node === undefined ? [] : await attempt(node, places);
          for (const [i, place] of places.entries()) {
            const each = tried[i];
            if (each !== undefined && "done" in each) {
              results[place] = each.done;
              this.#held.served(shardOf(place));
            } else failed.push({ place, node, error: each?.error });
          }
        }),
      );
      if (failed.length === 0) return results;
      const final = failed.find(({ error }) => error !== undefined && !isPassing(error));
      if (final?.error !== undefined) throw final.error;
      isMaybeStored ||= failed.some(({ error }) => error !== undefined && isUnknown(error));
      places = failed.map(({ place }) => place).sort((a, b) => a - b);
      for (const { place, node, error } of failed) {
        if (error?.code !== "ingest.unavailable") continue;
        owners.doubt(shardOf(place), node);
      }
      const nowMs = clock.monotonicMs();
      const shards = places.map(shardOf);
      for (const shard of shards) this.#held.failed(shard, nowMs);
      const isTooMuch = this.#held.isTooMuch(bytes, shards, nowMs);
      const isOver = nowMs >= this.#stopMs || isTooMuch || !isWanted();
      const pauseMs = isOver ? undefined : hold.next(nowMs);
      const last = failed.find(({ error }) => error !== undefined)?.error;
      if (pauseMs === undefined) {
        this.#counts.givenUp += places.length;
        throw givenUp(things, places, isMaybeStored, last);
      }
      this.#counts.held += places.length;
      await this.#held.during(bytes, owners.changed(pauseMs, changes));
      this.#counts.held -= places.length;
      this.#counts.retries += places.length;
    }
  }
}

function givenUp(
  things: readonly Routed[],
  places: readonly number[],
  isMaybeStored: boolean,
  cause: ServiceError | undefined,
): ServiceError {
  const shards = [...new Set(places.map((place) => String((things[place] as Routed).shard)))];
  const message = isMaybeStored
    ? "it is not known whether all records are stored"
    : "the shards of some records have no owner that can be reached";
  const outcome = isMaybeStored ? "unknown" : "not stored";
  const fields = { outcome, shards, ...(cause !== undefined && { reason: cause.message }) };
  return new ServiceError("ingest.unavailable", message, fields, { cause });
}
