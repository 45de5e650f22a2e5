import type { ZooKeeperClient } from "../../coordinator/src/client/client.ts";
import { messageOf } from "../../kit/src/errors.ts";
import type { Closable } from "../../kit/src/lifecycle.ts";
import type { Logger } from "../../kit/src/logger.ts";
import { FollowedTree, type ZnodeChange } from "./followed-tree.ts";
import { nodesMax, shardsMax } from "./limits.ts";
import { type NodeRecord, nodeOfReplica, replicaOf } from "./node.ts";
import { bucketOfPath, drainedOfPath, liveOfPath, paths, shardOfPath } from "./paths.ts";
import type { PeerDirectory } from "./peers/peers.ts";
import { bucketOf, decodeBucket } from "./placement/buckets.ts";
import { bucketsMax } from "./placement/limits.ts";
import { decodeZnode, nodeSchema, type ShardState, shardSchema } from "./znode-data.ts";

/** A shard as its znodes said last. */
export interface ShardPlace extends ShardState {
  readonly shard: number;
  /** Of `/logkeep/shards/<id>`. */
  readonly version: number;
  /** Whom the ephemeral names, as `nodeId/diskId/incarnation`: somebody is there. Null while nobody is. */
  readonly present: string | null;
}

export interface TopologyOptions {
  readonly client: ZooKeeperClient;
  readonly logger: Logger;
  /** See `FollowedTreeOptions`. */
  readonly retryMs?: number;
}

interface LiveNode {
  readonly record: NodeRecord;
  readonly czxid: bigint;
}

/**
 * A copy of who is in the cluster, who has which shard and who is to have it, kept up to date by watches. It may lag behind: it
 * routes and shows, and nothing rests on it but what a version check or an epoch confirms.
 */
export class Topology implements Closable {
  readonly #options: TopologyOptions;
  readonly #live = new Map<string, LiveNode>();
  readonly #drained = new Set<number>();
  readonly #places = new Map<number, ShardPlace>();
  /** By shard, whom its ephemeral names. */
  readonly #present = new Map<number, string>();
  readonly #buckets = new Map<number, ReadonlyMap<number, readonly number[]>>();
  readonly #onNodes = new Set<() => void>();
  readonly #onShard = new Set<(shard: number) => void>();
  readonly #onAssigned = new Set<(shards: readonly number[]) => void>();
  #trees: readonly FollowedTree[] = [];
  #nodes: readonly NodeRecord[] | undefined;

  private constructor(options: TopologyOptions) {
    this.#options = options;
  }

  /** Reads all of it, and follows it from then on, whatever happens. Rejects as `TreeCache.open`. */
  static async open(options: TopologyOptions, signal?: AbortSignal): Promise<Topology> {
    const topology = new Topology(options);
    try {
      await topology.#open(signal);
    } catch (thrown) {
      await topology.close();
      throw thrown;
    }
    return topology;
  }

  /** Those that are there, one for each number, by number. */
  nodes(): readonly NodeRecord[] {
    this.#nodes ??= nodesOf(this.#live.values());
    return this.#nodes;
  }

  node(id: number): NodeRecord | undefined {
    return this.nodes().find(({ nodeId }) => nodeId === id);
  }

  /** The process on a disk (`nodeId/diskId`), while one is there. */
  nodeOf(replica: string): NodeRecord | undefined {
    const found = this.node(nodeOfReplica(replica));
    return found !== undefined && replica === replicaOf(found) ? found : undefined;
  }

  /** Nodes that are to have nothing, whether they are there or not. */
  get drained(): ReadonlySet<number> {
    return this.#drained;
  }

  /** The process on each disk that is there: `nodeId/diskId/incarnation` by `nodeId/diskId`. */
  incarnations(): ReadonlyMap<string, string> {
    const latest = new Map<string, LiveNode>();
    for (const each of this.#live.values()) {
      const replica = replicaOf(each.record);
      const other = latest.get(replica);
      if (other === undefined || other.czxid < each.czxid) latest.set(replica, each);
    }
    return new Map(
      [...latest].map(([replica, { record }]) => [replica, `${replica}/${record.incarnation}`]),
    );
  }

  /** The nodes that can be dialled. */
  get peers(): PeerDirectory {
    return {
      current: () => this.nodes().filter(({ peer }) => peer !== ""),
      onChange: (listener) => this.onNodes(listener),
    };
  }

  /** Undefined for one that was not made yet. */
  shard(id: number): ShardPlace | undefined {
    return this.#places.get(id);
  }

  shards(): Iterable<ShardPlace> {
    return this.#places.values();
  }

  /** The node that owns the shard and is there, as `nodeId/diskId/incarnation`. */
  ownerOf(shard: number): string | undefined {
    const place = this.#places.get(shard);
    if (place === undefined || place.owner === null || place.owner !== place.present)
      return undefined;
    return place.owner;
  }

  /** The nodes that are to have the shard, the one that is to own it first; undefined while nobody has said. */
  assigned(shard: number): readonly number[] | undefined {
    return this.#buckets.get(bucketOf(shard))?.get(shard);
  }

  /** Whether the shard's records are on one disk alone, though more copies should be. */
  isSingle(shard: number): boolean {
    const wanted = this.assigned(shard)?.length ?? 1;
    return wanted > 1 && (this.#places.get(shard)?.inSync.length ?? wanted) < 2;
  }

  /** False from the loss of the connection until everything was read again. */
  get isCurrent(): boolean {
    return this.#trees.length > 0 && this.#trees.every(({ isCurrent }) => isCurrent);
  }

  /** Called after a change of the nodes. Returns how to stop. */
  onNodes(listener: () => void): () => void {
    this.#onNodes.add(listener);
    return () => this.#onNodes.delete(listener);
  }

  /** Called after a change of a shard's znodes. Returns how to stop. */
  onShard(listener: (shard: number) => void): () => void {
    this.#onShard.add(listener);
    return () => this.#onShard.delete(listener);
  }

  /** Called with shards whose assignment may be another now. Returns how to stop. */
  onAssigned(listener: (shards: readonly number[]) => void): () => void {
    this.#onAssigned.add(listener);
    return () => this.#onAssigned.delete(listener);
  }

  async close(): Promise<void> {
    await Promise.all(this.#trees.map((tree) => tree.close()));
  }

  async #open(signal: AbortSignal | undefined): Promise<void> {
    const follow = (
      path: string,
      znodesMax: number,
      take: (change: ZnodeChange) => void,
    ): Promise<FollowedTree> =>
      FollowedTree.open({ ...this.#options, path, znodesMax, take }, signal);
    this.#trees = await Promise.all([
      follow(paths.nodes, nodesMax * 4, (change) => this.#nodeChanged(change)),
      follow(paths.shards, shardsMax * 2 + 1, (change) => this.#shardChanged(change)),
      follow(paths.assignments, bucketsMax + 1, (change) => this.#bucketChanged(change)),
    ]);
  }

  #nodeChanged({ kind, path, znode }: ZnodeChange): void {
    const drained = drainedOfPath(path);
    if (drained === undefined && liveOfPath(path) === undefined) return;
    if (drained !== undefined) {
      if (kind === "removed") this.#drained.delete(drained);
      else this.#drained.add(drained);
    } else if (kind === "removed") this.#live.delete(path);
    else {
      const record = this.#decoded(path, () => decodeZnode(nodeSchema, path, znode.data));
      if (record === undefined) return;
      this.#live.set(path, { record, czxid: znode.stat.czxid });
    }
    this.#nodes = undefined;
    for (const listener of this.#onNodes) listener();
  }

  #shardChanged({ kind, path, znode }: ZnodeChange): void {
    const shard = shardOfPath(path);
    if (shard === undefined) return;
    const before = this.#places.get(shard);
    if (path === paths.shard(shard)) {
      if (kind === "removed") this.#places.delete(shard);
      else {
        const state = this.#decoded(path, () => decodeZnode(shardSchema, path, znode.data));
        if (state === undefined) return;
        const present = this.#present.get(shard) ?? null;
        this.#places.set(shard, { ...state, shard, version: znode.stat.version, present });
      }
    } else if (path === paths.shardOwner(shard)) {
      const present = kind === "removed" ? null : String(znode.data ?? "");
      if (present === null) this.#present.delete(shard);
      else this.#present.set(shard, present);
      if (before !== undefined) this.#places.set(shard, { ...before, present });
    }
    for (const listener of this.#onShard) listener(shard);
  }

  #bucketChanged({ kind, path, znode }: ZnodeChange): void {
    const bucket = bucketOfPath(path);
    if (bucket === undefined) return;
    const before = this.#buckets.get(bucket);
    if (kind === "removed") this.#buckets.delete(bucket);
    else {
      const shards = this.#decoded(path, () => decodeBucket(path, znode.data));
      if (shards === undefined) return;
      this.#buckets.set(bucket, shards);
    }
    const now = this.#buckets.get(bucket);
    const changed = [...new Set([...(before?.keys() ?? []), ...(now?.keys() ?? [])])];
    for (const listener of this.#onAssigned) listener(changed);
  }

  /** A znode that nobody can read is as if it had not changed. */
  #decoded<T>(path: string, decode: () => T): T | undefined {
    try {
      return decode();
    } catch (thrown) {
      this.#options.logger.warn({ path, reason: messageOf(thrown) }, "a znode cannot be read");
      return undefined;
    }
  }
}

/** Of two processes with one number, the one that was there first: the other will not stay. */
function nodesOf(live: Iterable<LiveNode>): readonly NodeRecord[] {
  const first = new Map<number, LiveNode>();
  for (const each of live) {
    const other = first.get(each.record.nodeId);
    if (other === undefined || isBefore(each, other)) first.set(each.record.nodeId, each);
  }
  return [...first.values()].map(({ record }) => record).sort((a, b) => a.nodeId - b.nodeId);
}

/** A new process on the same disk replaces one whose session has yet to expire. */
function isBefore(a: LiveNode, b: LiveNode): boolean {
  const isEarlier = a.czxid < b.czxid;
  return a.record.diskId === b.record.diskId ? !isEarlier : isEarlier;
}
