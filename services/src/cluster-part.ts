import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, readFileSync } from "node:fs";
import path from "node:path";
import type { ClusterCredentials } from "../../cluster/src/access.ts";
import { type Cluster, openCluster } from "../../cluster/src/cluster.ts";
import type { NodeIdentity } from "../../cluster/src/node.ts";
import type { Settings } from "../../config/src/schema.ts";
import { aclDigest } from "../../coordinator/src/client/acl.ts";
import type { Acl } from "../../coordinator/src/wire/records.ts";
import { ServiceError } from "../../kit/src/errors.ts";
import type { Logger } from "../../kit/src/logger.ts";
import { nodeDisk, replaceFile } from "../../storage/src/log/disk.ts";

export interface JoinOptions {
  /** `host:port,…` of the ensemble. */
  readonly connect: string;
  readonly dataDir: string;
  readonly settings: Settings;
  readonly identity: NodeIdentity;
  /** Whether anonymous clients are kept out of `/logkeep`. */
  readonly isClosed: boolean;
  readonly logger: Logger;
  /** Aborted, with the error as its reason, when there is nobody left to wait for. */
  readonly signal: AbortSignal;
}

/** How long a start waits for the coordinator. */
const connectTimeoutMs = 20_000;

const secretName = "cluster-secret";
const secretBytes = 32;

/** The cluster, and the ACL of what is nobody's but its nodes'. */
export interface ClusterPart {
  readonly cluster: Cluster;
  readonly ownAcl: readonly Acl[];
}

/** Joins the cluster at the coordinator, or makes it. Rejects with `coordinator.unavailable`. */
export async function joinCluster(options: JoinOptions): Promise<ClusterPart> {
  const { connect, dataDir, settings, identity, isClosed, logger, signal } = options;
  const timeout = AbortSignal.timeout(connectTimeoutMs);
  const credentials = await credentialsOf(dataDir);
  try {
    const cluster = await openCluster(
      {
        connect,
        credentials,
        closed: isClosed,
        inboxOpen: !isClosed,
        sessionTimeoutMs: settings.coordinator.sessionTimeoutMs,
        shards: settings.storage.shards,
        identity,
        foldDirectory: path.join(dataDir, "manifest"),
        logger,
      },
      AbortSignal.any([timeout, signal]),
    );
    return { cluster, ownAcl: [aclDigest(credentials.user, credentials.password)] };
  } catch (thrown) {
    signal.throwIfAborted();
    if (!timeout.aborted) throw thrown;
    const what = "the coordinator does not answer";
    throw new ServiceError("coordinator.unavailable", what, { connect }, { cause: thrown });
  }
}

/** The identity of the cluster's nodes: a secret drawn when the data directory was made. */
async function credentialsOf(dataDir: string): Promise<ClusterCredentials> {
  const file = path.join(dataDir, secretName);
  if (!existsSync(file)) {
    await replaceFile(nodeDisk, file, Buffer.from(`${randomBytes(secretBytes).toString("hex")}\n`));
    chmodSync(file, 0o600);
  }
  return { user: "logkeep", password: readFileSync(file, "utf8").trim() };
}
