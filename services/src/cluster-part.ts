import path from "node:path";
import { type Cluster, type ClusterOptions, openCluster } from "../../cluster/src/cluster.ts";
import type { NodeIdentity } from "../../cluster/src/node.ts";
import type { Settings } from "../../config/src/schema.ts";
import { aclDigest } from "../../coordinator/src/client/acl.ts";
import type { Acl } from "../../coordinator/src/wire/records.ts";
import { ServiceError } from "../../kit/src/errors.ts";
import type { Logger } from "../../kit/src/logger.ts";
import type { ClusterSecret } from "./cluster-secret.ts";
import type { CoordinatorPlan } from "./coordinator-part.ts";
import type { CoordinatorSecurity } from "./coordinator-security.ts";
import { isReachable } from "./known-cluster.ts";

export interface JoinClusterOptions {
  /** `host:port` of the ensemble. */
  readonly connect: readonly string[];
  readonly plan: CoordinatorPlan;
  readonly dataDir: string;
  readonly settings: Settings;
  readonly identity: NodeIdentity;
  readonly secret: ClusterSecret;
  /** Without it no TLS is spoken. */
  readonly security?: CoordinatorSecurity;
  /** Whether anonymous clients are kept out of `/logkeep`. */
  readonly isClosed: boolean;
  readonly logger: Logger;
  /** Aborted, with the error as its reason, when there is nobody left to wait for. */
  readonly signal: AbortSignal;
}

/** How long a start waits for a coordinator that should be there. */
const connectTimeoutMs = 20_000;

/** The same for one that nodes told of, or that was known from an earlier time: they are asked again then. */
const joinTimeoutMs = 10_000;

/** How often a start that waits for other members says so. */
const waitingSayMs = 10_000;

/** Shards for each founding member: each owns some of each other's streams, and batches stay large. */
const shardsOfMember = 4;

/** The cluster, and the ACL of what is nobody's but its nodes'. */
export interface ClusterPart {
  readonly cluster: Cluster;
  readonly ownAcl: readonly Acl[];
}

/**
 * Joins the cluster at the coordinator, or makes it. Waits as long as it takes for other members; rejects with
 * `coordinator.unavailable` when a coordinator that should be there is not.
 */
export async function joinCluster(options: JoinClusterOptions): Promise<ClusterPart> {
  const { connect, plan, settings, secret, security, isClosed, logger, signal } = options;
  const timeout = timeoutOf(plan, logger);
  const credentials = { user: "logkeep", password: secret.text };
  try {
    const cluster = await openCluster(
      {
        connect: connect.join(","),
        credentials,
        security: security && {
          of: (server) => security.of(server),
          failed: (server, cause) => {
            security.failed(server, cause);
            // Servers that were named, all with another secret or certificate: nobody else will come.
            if (plan.kind === "connect" && security.areRefusing(connect)) timeout.giveUp();
          },
        },
        closed: isClosed,
        inboxOpen: !isClosed,
        sessionTimeoutMs: settings.coordinator.sessionTimeoutMs,
        shards: shardsOf(settings),
        founding: foundingOf(plan, settings),
        identity: options.identity,
        foldDirectory: path.join(options.dataDir, "manifest"),
        logger,
      },
      AbortSignal.any([timeout.signal, signal]),
    );
    followCoordinators(cluster, connect, settings, security);
    return { cluster, ownAcl: [aclDigest(credentials.user, credentials.password)] };
  } catch (thrown) {
    signal.throwIfAborted();
    if (!timeout.signal.aborted) throw thrown;
    const failure = security?.failure;
    const what =
      failure === undefined
        ? "the coordinator does not answer"
        : `no TLS with the coordinator at ${failure}`;
    const fields = { connect: connect.join(",") };
    throw new ServiceError("coordinator.unavailable", what, fields, { cause: thrown });
  } finally {
    timeout.end();
  }
}

/** Members of an ensemble may be started in any order and any time apart; a coordinator that was named should be there. */
function timeoutOf(
  plan: CoordinatorPlan,
  logger: Logger,
): { readonly signal: AbortSignal; giveUp(): void; end(): void } {
  const abort = new AbortController();
  const waits = plan.kind === "own" && plan.members > 1;
  const say = (): void => logger.warn({}, "waiting for a quorum of the coordinator's members");
  const timeoutMs = plan.kind === "join" ? joinTimeoutMs : connectTimeoutMs;
  const timer = waits ? setInterval(say, waitingSayMs) : setTimeout(() => abort.abort(), timeoutMs);
  return { signal: abort.signal, giveUp: () => abort.abort(), end: () => clearInterval(timer) };
}

function shardsOf({ storage, coordinator }: Settings): number {
  return storage.shards ?? shardsOfMember * (coordinator.ensemble?.length ?? 1);
}

/** A node that has others from the start lets the balancer decide who begins with what. */
function foundingOf(plan: CoordinatorPlan, { roles }: Settings): ClusterOptions["founding"] {
  if (!roles.includes("ingest")) return "none";
  return plan.kind === "own" && plan.members === 1 ? "alone" : "assigned";
}

/**
 * Lets the session go to any member of the ensemble that a node tells of, now and later: the one it began with may be cut
 * off from its leader. It stays where it is as long as it can.
 */
function followCoordinators(
  cluster: Cluster,
  connect: readonly string[],
  { peer }: Settings,
  security: CoordinatorSecurity | undefined,
): void {
  const said = new Map<number, string>();
  let last = connect.join(",");
  const look = (): void => {
    let isNoted = false;
    for (const node of cluster.topology.nodes()) {
      const { nodeId, coordinator, coordinatorTls } = node;
      if (coordinator === "" || !isReachable(coordinator, peer.listen)) continue;
      said.set(nodeId, coordinator);
      if (security?.note(coordinator, coordinatorTls) === true) isNoted = true;
    }
    const all = [...new Set([...connect, ...said.values()])].join(",");
    if (all === last && !isNoted) return;
    last = all;
    cluster.client.updateServers(all, { stays: true });
  };
  cluster.topology.onNodes(look);
  look();
}
