import { randomUUID } from "node:crypto";
import os from "node:os";
import type { NodeFacts } from "../../cluster/src/announcement.ts";
import type { Cluster } from "../../cluster/src/cluster.ts";
import type { NodeIdentity } from "../../cluster/src/node.ts";
import { openPeers } from "../../cluster/src/peers/open-peers.ts";
import type { Peers } from "../../cluster/src/peers/peers.ts";
import { parseAddress, printAddress } from "../../config/src/address.ts";
import type { Settings } from "../../config/src/schema.ts";
import type { Acl } from "../../coordinator/src/wire/records.ts";
import { systemClock } from "../../kit/src/clock.ts";
import type { Lifecycle } from "../../kit/src/lifecycle.ts";
import type { Logger } from "../../kit/src/logger.ts";
import type { DataDirectory } from "../../storage/src/shard/data-directory.ts";
import { diskUseOf } from "../../storage/src/shard/disk-limit.ts";
import { joinCluster } from "./cluster-part.ts";
import { type ClusterSecret, clusterSecretOf } from "./cluster-secret.ts";
import {
  type CoordinatorPart,
  type CoordinatorPlan,
  coordinatorPlanOf,
  startOwnCoordinator,
} from "./coordinator-part.ts";
import { checkClusterListeners, isExposed } from "./exposure.ts";
import { answerJoins, findCluster } from "./joining.ts";
import { type KnownCluster, keepKnownCluster, readKnownCluster } from "./known-cluster.ts";
import { type Roles, rolesOf } from "./roles.ts";

export interface NodePartOptions {
  readonly settings: Settings;
  readonly data: DataDirectory;
  /** `LOGKEEP_CLUSTER_SECRET`. */
  readonly secret: string | undefined;
  readonly version: string;
  readonly logger: Logger;
  readonly lifecycle: Lifecycle;
  /** Called when the node cannot go on. */
  readonly failed: (error: Error) => void;
  /** Aborted, with the reason, when there is nothing left to wait for. */
  readonly signal: AbortSignal;
}

/** This process as a node of its cluster, alone or with others, before it has any part in shards. */
export interface NodePart {
  readonly identity: NodeIdentity;
  readonly roles: Roles;
  readonly coordinator: CoordinatorPart;
  readonly cluster: Cluster;
  /** The ACL of what is nobody's but the cluster's nodes'. */
  readonly ownAcl: readonly Acl[];
  readonly peers: Peers;
  /** Tells the others where HTTP is served, which is the end of the start. */
  serves(url: string): Promise<void>;
}

/** Starts the coordinator or finds one, joins or makes the cluster, listens to other nodes, and says that it is there. */
export async function startNode(options: NodePartOptions): Promise<NodePart> {
  const { settings, data, logger, lifecycle, failed, signal } = options;
  const secret = await clusterSecretOf(data.path, settings, options.secret);
  checkClusterListeners(settings, secret);
  if (secret.isKnown) logger.warn({}, "the cluster's secret is known to everybody on this machine");
  const identity = {
    nodeId: settings.node.id,
    diskId: data.diskId,
    incarnation: randomUUID(),
  };
  const { plan, coordinator, found } = await coordinatorOf(options, identity, secret);
  const roles = rolesOf(settings, plan);
  const connect = coordinator.address.split(",");
  const { cluster, ownAcl } = await joinCluster({
    ...{ connect, plan, settings, identity, secret, logger, signal },
    dataDir: data.path,
    isClosed: isExposed(settings),
  });
  lifecycle.add("cluster", () => cluster.close());
  if (found !== undefined) {
    const known = { ...found, cluster: cluster.id };
    const stop = await keepKnownCluster(data.path, known, cluster.topology, logger);
    lifecycle.add("what is known of the cluster", stop);
  }
  const peers = await openPeers({
    self: identity,
    clusterId: cluster.id,
    secret: Buffer.from(secret.text),
    listen: settings.peer.listen,
    directory: cluster.topology.peers,
    clock: systemClock,
    logger,
  });
  lifecycle.add("peers", () => peers.close());
  answerJoins(peers, cluster, connect);
  await cluster.announce(factsOf(options, { roles, plan, coordinator, peers }), failed);
  if (roles.ingest) {
    const balancer = cluster.balance({
      replication: () => settings.cluster.replication,
      graceMs: () => settings.cluster.graceMs,
      founders: plan.kind === "own" ? plan.members : 1,
      nowMs: () => performance.now(),
    });
    lifecycle.add("balancer", () => balancer.close());
  }
  const { host } = settings.node;
  return {
    ...{ identity, roles, coordinator, cluster, ownAcl, peers },
    serves: (url) => cluster.say({ state: "live", http: reachedBy(hostOf(url), host) }),
  };
}

/** Starts this process's own, or finds where the cluster's is. */
async function coordinatorOf(
  { settings, data, logger, lifecycle, failed, signal }: NodePartOptions,
  self: NodeIdentity,
  secret: ClusterSecret,
): Promise<{
  readonly plan: CoordinatorPlan;
  readonly coordinator: CoordinatorPart;
  /** For a node that joins. */
  readonly found?: KnownCluster;
}> {
  const known = readKnownCluster(data.path);
  const plan = coordinatorPlanOf(settings, known);
  switch (plan.kind) {
    case "own": {
      const own = { settings, dataDir: data.path, secret, logger, lifecycle, failed };
      return { plan, coordinator: await startOwnCoordinator(own) };
    }
    case "connect":
      return { plan, coordinator: { address: plan.addresses.join(","), stats: undefined } };
    case "join": {
      const { addresses } = plan;
      const found = await findCluster({ self, addresses, known, secret, logger, signal });
      const address = found.coordinators.join(",");
      return { plan, coordinator: { address, stats: undefined }, found };
    }
  }
}

/** What this node says of itself while it starts. */
function factsOf(
  { settings, data, version }: NodePartOptions,
  own: {
    readonly roles: Roles;
    readonly plan: CoordinatorPlan;
    readonly coordinator: CoordinatorPart;
    readonly peers: Peers;
  },
): NodeFacts {
  const { node, storage } = settings;
  const diskBytes = Math.min(storage.diskMaxBytes ?? Infinity, diskUseOf(data.path).totalBytes);
  return {
    state: "starting",
    http: "",
    peer: reachedBy(own.peers.address, node.host),
    coordinator: own.plan.kind === "own" ? reachedBy(own.coordinator.address, node.host) : "",
    zone: node.zone,
    roles: own.roles.all,
    version,
    startedMs: Date.now(),
    capacityBytes: node.capacityBytes ?? Math.floor(diskBytes),
  };
}

function hostOf(url: string): string {
  return url.slice("http://".length);
}

/** How others reach a listener: one that is bound to every interface goes by the machine's name. */
function reachedBy(address: string, said: string | undefined): string {
  const { host, port } = parseAddress(address);
  const isEverywhere = host === "0.0.0.0" || host === "::";
  return printAddress({ host: said ?? (isEverywhere ? os.hostname() : host), port });
}
