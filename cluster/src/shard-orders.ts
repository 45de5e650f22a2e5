import { nodeOfReplica, replicaOf } from "./node.ts";
import type { Topology } from "./topology.ts";

/** Who is to hold copies of a shard and who is to own it, as its owner carries it out. */
export interface ShardOrder {
  /** As `nodeId/diskId`. */
  readonly replicas: readonly string[];
  /** Undefined: no preference. */
  readonly owner: string | undefined;
  /** Members in sync without which it takes no records. */
  readonly minInSync: number;
}

/** With three copies one may be away without a record lying on one disk alone; with two the other goes on. */
export function minInSyncOf(copies: number): number {
  return copies >= 3 ? 2 : 1;
}

/** The balancer's placement as orders: nodes by the disks that they run on. */
export class ShardOrders {
  readonly #topology: Topology;

  constructor(topology: Topology) {
    this.#topology = topology;
  }

  /** Undefined while the balancer has said nothing, and while none of its nodes was ever there. */
  of(shard: number): ShardOrder | undefined {
    const nodes = this.#topology.assigned(shard);
    if (nodes === undefined) return undefined;
    const disks = nodes.map((node) => this.#diskOf(shard, node));
    const replicas = disks.filter((disk) => disk !== undefined);
    if (replicas.length === 0) return undefined;
    return { replicas, owner: disks[0], minInSync: minInSyncOf(nodes.length) };
  }

  /** Called with shards whose orders may be others now. Returns how to stop. */
  onChange(listener: (shards: readonly number[]) => void): () => void {
    const stops = [
      this.#topology.onAssigned(listener),
      this.#topology.onNodes(() => {
        listener([...this.#topology.shards()].map(({ shard }) => shard));
      }),
    ];
    return () => {
      for (const stop of stops) stop();
    };
  }

  /** Where the node runs now, else where it has a copy from: it may be back. */
  #diskOf(shard: number, node: number): string | undefined {
    const live = this.#topology.node(node);
    if (live !== undefined) return replicaOf(live);
    const place = this.#topology.shard(shard);
    const own = (replica: string): boolean => nodeOfReplica(replica) === node;
    return place?.inSync.find(own) ?? place?.replicas.find(own);
  }
}
