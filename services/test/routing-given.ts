import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Cluster } from "../../cluster/src/cluster.ts";
import { openPeers } from "../../cluster/src/peers/open-peers.ts";
import type { Peers } from "../../cluster/src/peers/peers.ts";
import { facts, Given } from "../../cluster/test/given.ts";
import { systemClock } from "../../kit/src/clock.ts";
import { Lifecycle } from "../../kit/src/lifecycle.ts";
import { silentLogger } from "../../kit/src/logger.ts";
import { openRig, type Rig } from "../../storage/test/shard/rig.ts";
import { AppendHost } from "../src/routing/append-host.ts";
import { Router, type RouterDeps } from "../src/routing/router.ts";
import { TopologyOwners } from "../src/routing/topology-owners.ts";

/** A node with a store on its shards, and a router to all. */
export interface RoutingNode {
  readonly cluster: Cluster;
  readonly peers: Peers;
  readonly rig: Rig;
  readonly owners: TopologyOwners;
  readonly router: Router;
  close(): Promise<void>;
}

/** Nodes in this process, with a coordinator, real stores and real connections; each shard has one replica. */
export class RoutingGiven {
  readonly given: Given;
  readonly #directory: string;
  readonly #lifecycle = new Lifecycle();
  readonly shardCount = 4;

  private constructor(given: Given, directory: string) {
    this.given = given;
    this.#directory = directory;
    this.#lifecycle.add("directory", () => rm(directory, { recursive: true, force: true }));
    this.#lifecycle.add("coordinator", () => given.close());
  }

  static async open(): Promise<RoutingGiven> {
    const directory = await mkdtemp(join(tmpdir(), "logkeep-routing-"));
    return new RoutingGiven(await Given.open(), directory);
  }

  /** Shards become those of a node, which is not there yet. */
  async found(nodeId: number, shards: readonly number[]): Promise<void> {
    const identity = { nodeId, diskId: `disk-${nodeId}`, incarnation: randomUUID() };
    const cluster = await this.given.cluster({ identity, shards: this.shardCount });
    await cluster.ownership.read(shards);
    await cluster.close();
  }

  /** A process of a node; its store has the router's clock. */
  async node(nodeId: number, more: Partial<RouterDeps> = {}): Promise<RoutingNode> {
    const lifecycle = new Lifecycle();
    const diskId = `disk-${nodeId}`;
    const identity = { nodeId, diskId, incarnation: randomUUID() };
    const { shardCount } = this;
    const cluster = await this.given.cluster({ identity, shards: shardCount, founding: "none" });
    lifecycle.add("cluster", () => cluster.close());
    const peers = await openPeers({
      ...{ self: identity, clusterId: cluster.id, secret: Buffer.from("a secret of the cluster") },
      ...{ listen: "127.0.0.1:0", directory: cluster.topology.peers },
      logger: silentLogger,
    });
    lifecycle.add("peers", () => peers.close());
    await cluster.announce(facts({ peer: peers.address }), () => undefined);
    const { ownership, manifest } = cluster;
    const { clock = systemClock } = more;
    const rig = await openRig(join(this.#directory, `node-${nodeId}`), {
      ...{ ownership, manifest, member: `${nodeId}/${diskId}`, shardCount, clock },
    });
    lifecycle.add("store", () => rig.close());
    const { store, arena } = rig;
    const owners = new TopologyOwners(cluster.topology, shardCount);
    lifecycle.add("owners", () => owners.close());
    new AppendHost({ peers, store, arena, shardCount });
    const others = () => cluster.topology.nodes().length - 1;
    const router = new Router({
      ...{ peers, owners, store, arena, others, clock },
      ...more,
    });
    lifecycle.add("router", () => router.stop());
    const close = () => lifecycle.close();
    this.#lifecycle.add(`node ${nodeId}`, close);
    return { cluster, peers, rig, owners, router, close };
  }

  close(): Promise<void> {
    return this.#lifecycle.close();
  }
}
