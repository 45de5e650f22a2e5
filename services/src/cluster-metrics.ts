import { Gauge, type Registry } from "prom-client";
import type { Topology } from "../../cluster/src/topology.ts";
import type { Store } from "../../storage/src/shard/store.ts";

/** Shows the cluster as this node sees it: what is missing is worth waking somebody. */
export function registerClusterMetrics(
  registry: Registry,
  { topology, shards }: { readonly topology: Topology; readonly shards: number },
  store: Store | undefined,
): void {
  const registers = [registry];
  const ids = Array.from({ length: shards }, (_, shard) => shard);
  new Gauge({
    name: "logkeep_cluster_nodes",
    help: "Nodes that are there.",
    registers,
    collect() {
      this.set(topology.nodes().length);
    },
  });
  new Gauge({
    name: "logkeep_cluster_shards_offline",
    help: "Shards that no node serves.",
    registers,
    collect() {
      const offline = ids.filter(
        (id) => topology.ownerOf(id) === undefined && store?.serves(id) !== true,
      );
      this.set(offline.length);
    },
  });
  new Gauge({
    name: "logkeep_cluster_shards_single",
    help: "Shards whose records are on one disk alone, though more copies should be.",
    registers,
    collect() {
      this.set(ids.filter((id) => topology.isSingle(id)).length);
    },
  });
}
