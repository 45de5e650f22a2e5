import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { isLoopback, parseAddress } from "../../config/src/address.ts";
import { isEnsembleRemote } from "../../config/src/ensemble.ts";
import type { Settings } from "../../config/src/schema.ts";
import { messageOf, ServiceError } from "../../kit/src/errors.ts";
import { nodeDisk, replaceFile } from "../../storage/src/log/disk.ts";

/** What the nodes of a cluster know and nobody else: it proves them to each other and to the coordinator. */
export interface ClusterSecret {
  readonly text: string;
  /** Whether anybody on this machine may know it: then it proves nothing, and must not be all that is asked for elsewhere. */
  readonly isKnown: boolean;
}

const fileName = "cluster-secret";
const secretBytes = 32;

/** Fewer can be tried one by one by whoever has recorded one handshake. */
const secretCharsMin = 16;

/**
 * For clusters that never leave a machine and were given no secret: nodes with data directories of their own could not know
 * what another has drawn, and whoever is on the machine may call its HTTP listener as well.
 */
const loopbackSecret = "known to everybody on this machine";

/**
 * The secret that was given (`given` is of the environment), else the one in the data directory, which the first start draws.
 * Throws `config.invalid` for a file that cannot be read or a secret that is too short.
 */
export async function clusterSecretOf(
  dataDir: string,
  settings: Settings,
  given: string | undefined,
): Promise<ClusterSecret> {
  const { secretFile } = settings.cluster;
  if (given) return checked(given, "LOGKEEP_CLUSTER_SECRET");
  if (secretFile !== undefined) return checked(textOf(secretFile), secretFile);
  const file = path.join(dataDir, fileName);
  if (!existsSync(file)) {
    const drawn = hasOthers(settings)
      ? secretOfThisMachine(settings)
      : randomBytes(secretBytes).toString("hex");
    await replaceFile(nodeDisk, file, Buffer.from(`${drawn}\n`));
    chmodSync(file, 0o600);
  }
  return checked(textOf(file), file);
}

/** Whether it is told of other nodes, which have drawn or will draw secrets of their own. */
function hasOthers({ cluster, coordinator }: Settings): boolean {
  return (coordinator.ensemble?.length ?? 0) > 1 || cluster.join !== undefined;
}

/** What is asked of nodes that hear other machines. */
export const secretNeeded =
  "needs a secret that all nodes of the cluster share: give each the same with --secret-file FILE or " +
  "LOGKEEP_CLUSTER_SECRET (openssl rand -hex 32 makes one; a cluster that is there has its own in its nodes' data directories)";

/** Throws `config.invalid` where a node of the cluster is on another machine. */
function secretOfThisMachine({ cluster, coordinator, peer }: Settings): string {
  const addresses = [peer.listen, ...(cluster.join ?? [])];
  const isLocal = addresses.every((address) => isLoopback(parseAddress(address).host));
  if (isLocal && !isEnsembleRemote(coordinator.ensemble)) return loopbackSecret;
  throw new ServiceError("config.invalid", `a cluster beyond this machine ${secretNeeded}`);
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (thrown) {
    const what = `the cluster's secret cannot be read: ${messageOf(thrown)}`;
    throw new ServiceError("config.invalid", what, {}, { cause: thrown });
  }
}

function checked(text: string, origin: string): ClusterSecret {
  const secret = text.trim();
  if (secret.length >= secretCharsMin) return { text: secret, isKnown: secret === loopbackSecret };
  const what = `${origin} must hold a secret of at least ${secretCharsMin} characters`;
  throw new ServiceError("config.invalid", what);
}
