import { crc32 } from "node:zlib";
import type { PeerMessage, Peers } from "../../../cluster/src/peers/peers.ts";
import { readHead } from "../../../cluster/src/peers/read-head.ts";
import { ServiceError, serviceErrorOf } from "../../../kit/src/errors.ts";
import type { AppendPart } from "../../../storage/src/shard/append.ts";
import { type ArenaOwner, ArenaWriter } from "../../../storage/src/shard/arena.ts";
import type { Store } from "../../../storage/src/shard/store.ts";
import { routedArenaWriter, routedRoomMs } from "./limits.ts";
import {
  type AppendAnswer,
  appendSchema,
  endsSchema,
  failedOutcome,
  idempotencySchema,
  methods,
  type Outcome,
  type RoutedPart,
  tombstoneSchema,
} from "./messages.ts";

export interface AppendHostDeps {
  readonly peers: Peers;
  readonly store: Store;
  readonly arena: ArenaOwner;
  readonly shardCount: number;
}

/**
 * Takes what routers of other nodes send for the shards that are owned here. What is not is refused by the store, part by part, and the router
 * looks for its owner anew.
 */
export class AppendHost {
  readonly #deps: AppendHostDeps;
  readonly #writer: ArenaWriter;

  constructor(deps: AppendHostDeps) {
    this.#deps = deps;
    this.#writer = new ArenaWriter(deps.arena.buffers, routedArenaWriter);
    const { peers, store } = deps;
    peers.handle(methods.append, (_, message) => this.#append(message));
    peers.handle(methods.idempotency, async (_, { head }) => {
      const result = await store.commitIdempotency(readHead(idempotencySchema, head));
      return { head: result, bytes: [] };
    });
    peers.handle(methods.tombstone, async (_, { head }) => {
      const { shard, tombstone } = readHead(tombstoneSchema, head);
      this.#checkShard(shard);
      await store.addTombstone(tombstone, [shard]);
      return { head: undefined, bytes: [] };
    });
    peers.handle(methods.ends, async (_, { head }) => {
      const { source, shard } = readHead(endsSchema, head);
      this.#checkShard(shard);
      const ends = await store.lastStored(source, [shard]);
      return { head: ends.get(shard), bytes: [] };
    });
  }

  async #append({ head, bytes }: PeerMessage): Promise<PeerMessage> {
    const { store } = this.#deps;
    const { parts } = readHead(appendSchema, head);
    if (parts.length !== bytes.length) {
      throw new ServiceError("request.malformed", "parts and their bytes are not as many");
    }
    for (const [at, part] of parts.entries()) this.#check(part, bytes[at] as Uint8Array);
    await store.room(
      routedRoomMs,
      bytes.reduce((sum, { length }) => sum + length, 0),
    );
    const outcomes = await this.#store(parts, bytes);
    return { head: { outcomes } satisfies AppendAnswer, bytes: [] };
  }

  /** The bytes are copied and retained within this call. */
  #store(parts: readonly RoutedPart[], bytes: readonly Uint8Array[]): Promise<Outcome[]> {
    const { arena } = this.#deps;
    const outcomes: (Promise<Outcome> | undefined)[] = Array.from({ length: parts.length });
    // Those of a shard in one call, so that they keep their order; each shard for itself, since one may wait.
    const byShard = Map.groupBy(parts.keys(), (at) => (parts[at] as RoutedPart).shard);
    for (const places of byShard.values()) {
      const placed = places.map((at) => this.#place(parts[at] as RoutedPart, bytes[at]!));
      const results = this.#appendAll(placed);
      for (const [i, at] of places.entries()) {
        outcomes[at] = results.then(
          (done) => ({ kind: "done", result: done[i]! }),
          (thrown: unknown) => failedOutcome(serviceErrorOf(thrown)),
        );
      }
    }
    arena.closed(this.#writer.takeClosed());
    return Promise.all(outcomes as Promise<Outcome>[]);
  }

  async #appendAll(placed: readonly (AppendPart | undefined)[]) {
    if (placed.some((part) => part === undefined)) {
      throw new ServiceError("ingest.busy", "memory for records is full");
    }
    return this.#deps.store.append(placed as readonly AppendPart[]);
  }

  /** Undefined: the arena is full. */
  #place(part: RoutedPart, bytes: Uint8Array): AppendPart | undefined {
    const room = this.#writer.reserve(bytes.length, part.shard);
    if (room === undefined) return undefined;
    room.view.set(bytes);
    this.#writer.commit(bytes.length);
    const { sourceRange, ...rest } = part;
    const placed = { ...rest, offset: room.offset };
    return sourceRange === undefined ? placed : { ...placed, sourceRange };
  }

  #check({ shard, length, bodyCrc }: RoutedPart, bytes: Uint8Array): void {
    this.#checkShard(shard);
    // What is damaged on the way must not get into a log, where it would be found at the next start.
    if (bytes.length !== length || crc32(bytes) !== bodyCrc) {
      throw new ServiceError("request.malformed", "a part's bytes are damaged", { shard });
    }
  }

  #checkShard(shard: number): void {
    if (shard >= this.#deps.shardCount) {
      throw new ServiceError("request.malformed", "there is no such shard", { shard });
    }
  }
}
