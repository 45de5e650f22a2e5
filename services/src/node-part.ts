import { randomUUID } from "node:crypto";
import os from "node:os";
import type { NodeFacts } from "../../cluster/src/announcement.ts";
import { type Cluster, closingOnAbort } from "../../cluster/src/cluster.ts";
import type { NodeIdentity } from "../../cluster/src/node.ts";
import { openPeers } from "../../cluster/src/peers/open-peers.ts";
import type { Peers } from "../../cluster/src/peers/peers.ts";
import type { CertificateSource } from "../../cluster/src/peers/wire-tls.ts";
import { parseAddress, printAddress } from "../../config/src/address.ts";
import type { Settings } from "../../config/src/schema.ts";
import type { Acl } from "../../coordinator/src/wire/records.ts";
import { ServiceError } from "../../kit/src/errors.ts";
import type { Lifecycle } from "../../kit/src/lifecycle.ts";
import type { Logger } from "../../kit/src/logger.ts";
import type { DataDirectory } from "../../storage/src/shard/data-directory.ts";
import { diskUseOf } from "../../storage/src/shard/disk-limit.ts";
import { type ClusterPart, joinCluster } from "./cluster-part.ts";
import { type ClusterSecret, clusterSecretOf } from "./cluster-secret.ts";
import {
  type CoordinatorPart,
  type CoordinatorPlan,
  coordinatorPlanOf,
  startOwnCoordinator,
} from "./coordinator-part.ts";
import { CoordinatorSecurity } from "./coordinator-security.ts";
import { checkClusterListeners, isExposed } from "./exposure.ts";
import { answerJoins, checkSame, findCluster } from "./joining.ts";
import { type KnownCluster, keepKnownCluster, readKnownCluster } from "./known-cluster.ts";
import { PeerCertificateFiles } from "./peer-certificates.ts";
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
  /** Stands for the role that decides which node is to have what, by settings that may change while it does. */
  balance(live: Pick<Settings, "cluster">): void;
  /** Tells the others where HTTP is served, which is the end of the start. */
  serves(url: string): Promise<void>;
}

/** Starts the coordinator or finds one, joins or makes the cluster, listens to other nodes, and says that it is there. */
export async function startNode(options: NodePartOptions): Promise<NodePart> {
  const { settings, data, logger, lifecycle, failed } = options;
  const secret = await clusterSecretOf(data.path, settings, options.secret);
  checkClusterListeners(settings, secret);
  if (secret.isKnown) logger.warn({}, "the cluster's secret is known to everybody on this machine");
  const identity = {
    nodeId: settings.node.id,
    diskId: data.diskId,
    incarnation: randomUUID(),
  };
  const known = readKnownCluster(data.path);
  const plan = coordinatorPlanOf(settings, known);
  const roles = rolesOf(settings, plan);
  const certificates = await PeerCertificateFiles.open(settings, logger);
  if (certificates !== undefined) lifecycle.add("certificates", () => certificates.close());
  const security = new CoordinatorSecurity({ settings, secret, certificates, logger });
  const own = { ...options, identity, secret, security, certificates, plan };
  const { coordinator, cluster, ownAcl } =
    plan.kind === "join"
      ? await joinByNodes({ ...own, plan, known })
      : await joinByCoordinator(own, await coordinatorOf(own));
  lifecycle.add("cluster", () => cluster.close());
  if (plan.kind === "join") {
    const { address } = coordinator;
    const coordinators = address.split(",");
    const secured = [...security.securedOf(coordinators)];
    const first = { cluster: cluster.id, coordinators, secured, peers: [...plan.addresses] };
    const stop = await keepKnownCluster(data.path, first, cluster.topology, logger);
    lifecycle.add("what is known of the cluster", stop);
  }
  const peers = await openPeers({
    self: identity,
    clusterId: cluster.id,
    secret: Buffer.from(secret.text),
    certificates,
    listen: settings.peer.listen,
    directory: cluster.topology.peers,
    logger,
  });
  lifecycle.add("peers", () => peers.close());
  answerJoins(peers, cluster, coordinator.address.split(","), (all) => security.securedOf(all));
  const announced = closingOnAbort(cluster.client, options.signal);
  await cluster
    .announce(factsOf(options, { roles, plan, coordinator, peers }), failed)
    .finally(announced);
  const { host } = settings.node;
  return {
    ...{ identity, roles, coordinator, cluster, ownAcl, peers },
    balance(live) {
      if (!roles.ingest) return;
      const balancer = cluster.balance({
        replication: () => live.cluster.replication,
        graceMs: () => live.cluster.graceMs,
        founders: plan.kind === "own" ? plan.members : 1,
        nowMs: () => performance.now(),
      });
      lifecycle.add("balancer", () => balancer.close());
    },
    serves: (url) => cluster.say({ state: "live", http: reachedBy(hostOf(url), host) }),
  };
}

interface Joining extends Omit<NodePartOptions, "secret"> {
  readonly identity: NodeIdentity;
  readonly secret: ClusterSecret;
  readonly security: CoordinatorSecurity;
  readonly certificates: CertificateSource | undefined;
  readonly plan: CoordinatorPlan;
}

type Joined = ClusterPart & { readonly coordinator: CoordinatorPart };

/** Starts this process's own, or names the one that was said. */
async function coordinatorOf(own: Joining): Promise<CoordinatorPart> {
  const { plan, settings, data, secret, security, logger, lifecycle, failed } = own;
  if (plan.kind !== "own") return { address: plan.addresses.join(","), stats: undefined };
  const options = { settings, dataDir: data.path, secret, logger, lifecycle, failed };
  const started = await startOwnCoordinator(options);
  security.note(started.address, true);
  return started;
}

async function joinByCoordinator(own: Joining, coordinator: CoordinatorPart): Promise<Joined> {
  const { plan, settings, data, identity, secret, security, logger, signal } = own;
  const joined = await joinCluster({
    ...{ plan, settings, identity, secret, security, logger, signal },
    connect: coordinator.address.split(","),
    dataDir: data.path,
    isClosed: isExposed(settings),
  });
  return { ...joined, coordinator };
}

/** Asks nodes for the coordinator, again as long as what they say, or what was known, does not answer. */
async function joinByNodes(
  own: Joining & {
    readonly plan: { readonly kind: "join"; readonly addresses: readonly string[] };
    readonly known: KnownCluster | undefined;
  },
): Promise<Joined> {
  const { identity, known, plan, secret, security, certificates, logger, signal } = own;
  const { addresses } = plan;
  const asking = { self: identity, addresses, known, secret, certificates, logger, signal };
  for (;;) {
    const found = await findCluster(asking);
    const address = found.coordinators.join(",");
    for (const each of found.coordinators) security.note(each, found.secured.includes(each));
    try {
      const joined = await joinByCoordinator(own, { address, stats: undefined });
      checkSame(known, joined.cluster.id);
      return joined;
    } catch (thrown) {
      const isAbsent = thrown instanceof ServiceError && thrown.code === "coordinator.unavailable";
      if (!isAbsent || signal.aborted) throw thrown;
      logger.warn({ coordinator: address }, "the cluster's coordinator does not answer yet");
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
    coordinatorTls: own.plan.kind === "own",
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
