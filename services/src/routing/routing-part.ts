import type { Cluster } from "../../../cluster/src/cluster.ts";
import type { PeerLink, Peers } from "../../../cluster/src/peers/peers.ts";
import type { Clock } from "../../../kit/src/clock.ts";
import type { Closable } from "../../../kit/src/lifecycle.ts";
import type { ArenaOwner } from "../../../storage/src/shard/arena.ts";
import type { Store } from "../../../storage/src/shard/store.ts";
import type { ShardOwners } from "../fan-out/cluster-source.ts";
import { type ShardCopies, TopologyCopies } from "../fan-out/copies.ts";
import { Stragglers } from "../fan-out/stragglers.ts";
import { AppendHost } from "./append-host.ts";
import { Router, type RouterCounts } from "./router.ts";
import { TopologyOwners } from "./topology-owners.ts";
import type { Writes } from "./writes.ts";

export interface RoutingDeps {
  readonly peers: Peers;
  readonly cluster: Cluster;
  readonly store: Store;
  readonly arena: ArenaOwner;
  readonly clock: Clock;
}

/** How this node finds the owners of shards, and writes to them. */
export interface RoutingPart extends Closable {
  /** Before everything else closes: what is held would keep it waiting. */
  stop(): void;
  readonly writes: Writes;
  readonly counts: Readonly<RouterCounts>;
  readonly links: () => readonly PeerLink[];
  readonly owners: ShardOwners;
  readonly copies: ShardCopies;
  readonly stragglers: Stragglers;
  /** How many other nodes there are now. */
  readonly others: () => number;
}

/** Takes what other nodes route here from now on, and routes to them. */
export function openRouting({ peers, cluster, store, arena, clock }: RoutingDeps): RoutingPart {
  const { topology, shards: shardCount } = cluster;
  const { nodeId } = peers.self;
  const owners = new TopologyOwners(topology, shardCount);
  const copies = new TopologyCopies(topology, cluster.manifest, shardCount);
  const others = (): number => topology.nodes().filter((node) => node.nodeId !== nodeId).length;
  const router = new Router({ peers, owners, store, arena, others, clock });
  new AppendHost({ peers, store, arena, shardCount });
  return {
    ...{ writes: router, owners, copies, stragglers: new Stragglers() },
    ...{ others, counts: router.counts },
    links: () => peers.links(),
    stop: () => router.stop(),
    close: async () => {
      await copies.close();
      await owners.close();
    },
  };
}
