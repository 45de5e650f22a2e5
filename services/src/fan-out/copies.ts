import type { ZnodeManifest } from "../../../cluster/src/manifest.ts";
import { nodeOfReplica } from "../../../cluster/src/node.ts";
import type { Topology } from "../../../cluster/src/topology.ts";
import type { Closable } from "../../../kit/src/lifecycle.ts";
import type { ShardManifest } from "../../../storage/src/shard/manifest.ts";
import { manifestLookMs } from "./limits.ts";

/** Where a shard's sealed files lie beside its owner. */
export interface ShardCopies {
  /** Nodes that are there and may have sealed files of the shard, first those that have all of them. */
  nodesWith(shard: number): readonly number[];
  /** For how long nobody has owned the shard, in milliseconds; 0 while somebody does. */
  vacantMs(shard: number): number;
  /** What of the shard is sealed, by the znodes; undefined when they cannot be read now. */
  manifest(shard: number): Promise<ShardManifest | undefined>;
}

/** As this node last saw the znodes of the shards; the list of what is sealed is read when it is asked for. */
export class TopologyCopies implements ShardCopies, Closable {
  readonly #topology: Topology;
  readonly #manifest: Pick<ZnodeManifest, "look">;
  /** By shard, since when nobody has owned it. */
  readonly #vacant = new Map<number, number>();
  readonly #stop: () => void;

  constructor(topology: Topology, manifest: Pick<ZnodeManifest, "look">, shardCount: number) {
    this.#topology = topology;
    this.#manifest = manifest;
    for (let shard = 0; shard < shardCount; shard++) this.#look(shard);
    this.#stop = topology.onShard((shard) => this.#look(shard));
  }

  nodesWith(shard: number): readonly number[] {
    const place = this.#topology.shard(shard);
    if (place === undefined) return [];
    const isThere = (replica: string): boolean => this.#topology.nodeOf(replica) !== undefined;
    const replicas = [...place.inSync, ...place.replicas].filter(isThere);
    // Who is to have it may have been a member before.
    const assigned = (this.#topology.assigned(shard) ?? []).filter(
      (node) => this.#topology.node(node) !== undefined,
    );
    return [...new Set([...replicas.map(nodeOfReplica), ...assigned])];
  }

  vacantMs(shard: number): number {
    const sinceMs = this.#vacant.get(shard);
    return sinceMs === undefined ? 0 : performance.now() - sinceMs;
  }

  async manifest(shard: number): Promise<ShardManifest | undefined> {
    // Without the coordinator it would be waited for in vain.
    if (!this.#topology.isCurrent) return undefined;
    const late = Promise.withResolvers<undefined>();
    const timer = setTimeout(() => late.resolve(undefined), manifestLookMs);
    try {
      // Whatever is wrong with it: the answer then is without the shard, and says so.
      const found = this.#manifest.look(shard).catch(() => undefined);
      return await Promise.race([found, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  close(): Promise<void> {
    this.#stop();
    return Promise.resolve();
  }

  #look(shard: number): void {
    if (this.#topology.ownerOf(shard) !== undefined) this.#vacant.delete(shard);
    else if (!this.#vacant.has(shard)) this.#vacant.set(shard, performance.now());
  }
}
