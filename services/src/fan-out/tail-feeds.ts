import { deserialize, serialize } from "node:v8";
import type { Peers } from "../../../cluster/src/peers/peers.ts";
import { ServiceError } from "../../../kit/src/errors.ts";
import type { TailChunk } from "../../../query/src/tail/tail-plan.ts";
import type { ShardOwners } from "./cluster-source.ts";
import { movingTickMs, movingWaitMs } from "./limits.ts";
import {
  type FollowBegins,
  type FollowedEntry,
  type FollowedPlan,
  tailMethod,
} from "./tail-messages.ts";

export type OnEntry = (shard: number, position: number, chunk: TailChunk | undefined) => void;

/** What other nodes commit, as one tail follows it. */
export interface TailFeeds {
  /** Up to where each shard of other nodes had come. */
  readonly positions: ReadonlyMap<number, number>;
  /** Begins to hand entries on. `onBroken` is called once, when some would be missed from then on: a shard moved, a node is gone. */
  start(onEntry: OnEntry, onBroken: () => void): void;
  close(): void;
}

interface Feed {
  readonly node: number;
  readonly positions: ReadonlyMap<number, number>;
  readonly items: AsyncIterator<readonly FollowedEntry[]>;
}

/** Follows the shards of other nodes. */
export class TailFollowing {
  readonly #peers: Peers;
  readonly #owners: ShardOwners;
  readonly #isOwn: (shard: number) => boolean;

  /** `isOwn`: whether a shard is served at this node. */
  constructor(peers: Peers, owners: ShardOwners, isOwn: (shard: number) => boolean) {
    this.#peers = peers;
    this.#owners = owners;
    this.#isOwn = isOwn;
  }

  /** Resolves when every shard is followed, here or there. Rejects with `query.partial` when some have no owner for long. */
  async open(tenant: string, plan: FollowedPlan): Promise<TailFeeds> {
    const untilMs = performance.now() + movingWaitMs;
    for (;;) {
      const abort = new AbortController();
      const seen = this.#seen();
      const missing = await this.#try(tenant, plan, seen, abort);
      if (!Array.isArray(missing)) return missing;
      abort.abort();
      if (performance.now() > untilMs) {
        throw new ServiceError("query.partial", "some shards do not answer", { missing });
      }
      await this.#owners.changed(movingTickMs);
    }
  }

  #seen(): ReadonlyMap<number, number | undefined> {
    const shards = Array.from({ length: this.#owners.shardCount }, (_, shard) => shard);
    return new Map(shards.map((shard) => [shard, this.#owners.nodeOf(shard)]));
  }

  /** The feeds, or the names of shards that nobody follows. */
  async #try(
    tenant: string,
    plan: FollowedPlan,
    seen: ReadonlyMap<number, number | undefined>,
    abort: AbortController,
  ): Promise<TailFeeds | string[]> {
    const self = this.#peers.self.nodeId;
    const nodes = new Set([...seen.values()].filter((node) => node !== undefined));
    nodes.delete(self);
    const opening = [...nodes].map((node) => this.#follow(node, tenant, plan, abort.signal));
    const settled = await Promise.allSettled(opening);
    const feeds = settled.filter((one) => one.status === "fulfilled").map(({ value }) => value);
    const positions = new Map<number, number>();
    const missing: string[] = [];
    for (const [shard, node] of seen) {
      const there = feeds.find((feed) => feed.node === node)?.positions.get(shard);
      if (there !== undefined) positions.set(shard, there);
      else if (!this.#isOwn(shard)) missing.push(`shard ${shard}`);
    }
    if (missing.length > 0) return missing;
    return this.#feeds(feeds, positions, seen, abort);
  }

  #feeds(
    feeds: readonly Feed[],
    positions: ReadonlyMap<number, number>,
    seen: ReadonlyMap<number, number | undefined>,
    abort: AbortController,
  ): TailFeeds {
    const { signal } = abort;
    return {
      positions,
      start: (onEntry, onBroken) => {
        let isBroken = false;
        const broken = (): void => {
          if (isBroken || signal.aborted) return;
          isBroken = true;
          abort.abort();
          onBroken();
        };
        for (const feed of feeds) void hand(feed, positions, onEntry).finally(broken);
        void this.#watch(seen, signal).then(broken);
      },
      close: () => abort.abort(),
    };
  }

  /** Resolves when a shard has another owner than it had. */
  async #watch(seen: ReadonlyMap<number, number | undefined>, signal: AbortSignal): Promise<void> {
    const isSame = (): boolean =>
      [...seen].every(([shard, node]) => this.#owners.nodeOf(shard) === node);
    while (!signal.aborted && isSame()) await this.#owners.changed(movingWaitMs);
  }

  async #follow(
    node: number,
    tenant: string,
    plan: FollowedPlan,
    signal: AbortSignal,
  ): Promise<Feed> {
    const message = { head: { tenant }, bytes: [serialize(plan)] };
    const stream = this.#peers.stream(node, tailMethod, message, { signal });
    const items = stream[Symbol.asyncIterator]();
    const { value, done } = await items.next();
    if (done === true) {
      throw new ServiceError("peer.unavailable", "a tail ended before it began", { node });
    }
    const { positions } = deserialize(bytesOf(value)) as FollowBegins;
    return { node, positions: new Map(positions), items: entriesOf(items) };
  }
}

async function* entriesOf(
  items: AsyncIterator<{ readonly bytes: readonly Uint8Array[] }>,
): AsyncGenerator<readonly FollowedEntry[]> {
  for (;;) {
    const { value, done } = await items.next();
    if (done === true) return;
    yield deserialize(bytesOf(value)) as readonly FollowedEntry[];
  }
}

/** Hands on what is of followed shards until the feed ends, whatever ends it. */
async function hand(
  { items }: Feed,
  positions: ReadonlyMap<number, number>,
  onEntry: OnEntry,
): Promise<void> {
  try {
    for (;;) {
      const { value, done } = await items.next();
      if (done === true) return;
      for (const { shard, position, chunk } of value) {
        if (positions.has(shard)) onEntry(shard, position, chunk);
      }
    }
  } catch {
    // Its end is all that counts: whoever tails begins again where it was.
  }
}

function bytesOf({ bytes }: { readonly bytes: readonly Uint8Array[] }): Uint8Array {
  return bytes[0] ?? new Uint8Array(0);
}
