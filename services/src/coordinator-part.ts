import { hkdfSync } from "node:crypto";
import path from "node:path";
import { parseAddress, printAddress } from "../../config/src/address.ts";
import { isEnsembleRemote, parseEnsemble, votersOf } from "../../config/src/ensemble.ts";
import type { Settings } from "../../config/src/schema.ts";
import type { CoordinatorOptions, CoordinatorStats } from "../../coordinator/src/server/start.ts";
import { ServiceError } from "../../kit/src/errors.ts";
import type { Lifecycle } from "../../kit/src/lifecycle.ts";
import type { Logger } from "../../kit/src/logger.ts";
import type { ClusterSecret } from "./cluster-secret.ts";
import { coordinatorKey } from "./coordinator-security.ts";
import { keepVoters } from "./kept-voters.ts";
import type { KnownCluster } from "./known-cluster.ts";
import { startCoordinatorThread } from "./threads/coordinator-host.ts";

/** The coordinator that this node works on: the one in this process, or others. */
export interface CoordinatorPart {
  /** `host:port`, or several with commas between. */
  readonly address: string;
  /** Undefined when it is not ours. */
  readonly stats: (() => Promise<CoordinatorStats>) | undefined;
}

export interface OwnCoordinatorOptions {
  readonly settings: Settings;
  readonly dataDir: string;
  readonly secret: ClusterSecret;
  readonly logger: Logger;
  readonly lifecycle: Lifecycle;
  readonly failed: (error: Error) => void;
}

/** Where this node's coordinator is. */
export type CoordinatorPlan =
  /** In this process, alone or one of several members, with a vote or without. */
  | { readonly kind: "own"; readonly members: number }
  /** Where it was said. */
  | { readonly kind: "connect"; readonly addresses: readonly string[] }
  /** Where nodes of the cluster say; `addresses` are theirs. */
  | { readonly kind: "join"; readonly addresses: readonly string[] };

/** A node that has joined once does so again, unless it is told something else. Throws `config.invalid`. */
export function coordinatorPlanOf(
  { coordinator, cluster, roles }: Settings,
  known: KnownCluster | undefined,
): CoordinatorPlan {
  const { connect, ensemble } = coordinator;
  if (connect !== undefined) return { kind: "connect", addresses: connect };
  if (ensemble !== undefined) return { kind: "own", members: ensemble.length };
  if (cluster.join !== undefined) return { kind: "join", addresses: cluster.join };
  const isMember = roles.includes("coordinator");
  if (known !== undefined) {
    if (roles.length === 1 && isMember) {
      const message =
        "roles of coordinator alone leave nothing to do: this node has joined a cluster with another one";
      throw new ServiceError("config.invalid", message, { cluster: known.cluster });
    }
    return { kind: "join", addresses: known.peers };
  }
  if (isMember) return { kind: "own", members: 1 };
  const message =
    "roles without coordinator need coordinator.connect or cluster.join, where one is";
  throw new ServiceError("config.invalid", message);
}

/** Starts it in its thread: alone, or as this node's member of the ensemble; then it may yet be without a leader. */
export async function startOwnCoordinator(
  options: OwnCoordinatorOptions,
): Promise<CoordinatorPart> {
  const { settings, dataDir, logger, lifecycle, failed } = options;
  const { coordinator, node } = settings;
  await keepVoters(dataDir, node.id, votersOf(coordinator.ensemble ?? []));
  const listen = parseAddress(coordinator.listen);
  const host = await startCoordinatorThread(
    {
      dataDir: path.join(dataDir, "coordinator"),
      host: listen.host,
      port: listen.port,
      serverId: node.id,
      tickTimeMs: coordinator.tickTimeMs,
      snapCount: coordinator.snapCount,
      connectionsPerAddress: coordinator.connectionsPerAddress,
      superDigest: coordinator.superDigest,
      clientKey: coordinatorKey(options.secret),
      ensemble: ensembleOf(options),
    },
    logger,
    failed,
  );
  lifecycle.add("coordinator", () => host.close());
  return { address: printAddress(host.address), stats: () => host.stats() };
}

/** Time for a member to take over the leader's history; a large tree comes as a snapshot. */
const initLimitMs = 30_000;

/** A member that is silent this long is given up, and with it a leader: below the six seconds of our sessions. */
const syncLimitMs = 2_500;

/** Undefined for one that is alone. */
function ensembleOf({ settings, secret }: OwnCoordinatorOptions): CoordinatorOptions["ensemble"] {
  const { ensemble = [], tickTimeMs } = settings.coordinator;
  if (ensemble.length < 2) return undefined;
  const members = parseEnsemble(ensemble).map(({ id, host, peerPort, electionPort, role }) => ({
    ...{ id, role, client: undefined },
    addresses: [{ host, quorumPort: peerPort, electionPort }],
  }));
  return {
    membership: { members, groups: new Map(), weights: new Map(), version: 0 },
    initLimit: Math.ceil(initLimitMs / tickTimeMs),
    syncLimit: Math.max(2, Math.ceil(syncLimitMs / tickTimeMs)),
    listenOnAllIPs: false,
    reconfigEnabled: false,
    standaloneEnabled: true,
    // All members read the same list, so either all of them speak TLS or none does.
    ...(isEnsembleRemote(ensemble) ? { tls: { psk: quorumKey(secret) } } : {}),
  };
}

/** A key of its own, so that what one protocol shows of its key says nothing about the other's. */
function quorumKey({ text }: ClusterSecret): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", text, "", "logkeep quorum tls", 32));
}
