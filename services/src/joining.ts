import { z } from "zod";
import type { NodeIdentity } from "../../cluster/src/node.ts";
import { askAsGuest } from "../../cluster/src/peers/guest.ts";
import type { Peers } from "../../cluster/src/peers/peers.ts";
import type { CertificateSource } from "../../cluster/src/peers/wire-tls.ts";
import type { Topology } from "../../cluster/src/topology.ts";
import { messageOf, ServiceError } from "../../kit/src/errors.ts";
import type { Logger } from "../../kit/src/logger.ts";
import { pause } from "../../kit/src/pause.ts";
import type { ClusterSecret } from "./cluster-secret.ts";
import { isReachable, type KnownCluster } from "./known-cluster.ts";

const method = "join";

const answerSchema = z.object({
  cluster: z.string().min(1).max(256),
  coordinators: z.array(z.string().min(3).max(512)).max(256),
  /** Those of them that take TLS with keys of the secret; an earlier release says nothing of it. */
  secured: z.array(z.string().min(3).max(512)).max(256).default([]),
});

/** How long one node may take to answer, connection and proof included. */
const askMs = 5_000;

/** Between two rounds over all addresses. */
const retryMs = 1_000;

/** Rounds between two lines of the log about nobody answering. */
const roundsToSay = 10;

export interface JoinOptions {
  readonly self: NodeIdentity;
  /** `host:port` of nodes that may be there. */
  readonly addresses: readonly string[];
  /** From an earlier time. */
  readonly known: KnownCluster | undefined;
  readonly secret: ClusterSecret;
  readonly certificates: CertificateSource | undefined;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/**
 * Asks nodes of a running cluster where its coordinator is, one after the other and again until one answers; goes by what was
 * known when none does. Rejects with `peer.refused` when a node has another secret, and with the signal's reason.
 */
export async function findCluster(options: JoinOptions): Promise<KnownCluster> {
  const { addresses, known, logger, signal } = options;
  const all = [...new Set([...addresses, ...(known?.peers ?? [])])];
  for (let round = 0; ; round++) {
    for (const address of all) {
      signal.throwIfAborted();
      try {
        const found = await ask(options, address);
        checkSame(known, found.cluster);
        return { ...found, peers: all };
      } catch (thrown) {
        signal.throwIfAborted();
        if (!(thrown instanceof ServiceError)) throw thrown;
        if (thrown.code !== "peer.unavailable") throw refusalOf(thrown, address);
        const facts = { address, reason: messageOf(thrown) };
        if (round % roundsToSay === 0) logger.warn(facts, "a node of the cluster does not answer");
      }
    }
    if (known !== undefined && known.coordinators.length > 0) return known;
    await pause(retryMs, signal);
  }
}

/** What came of an address, with the address and what to do about it. */
function refusalOf(thrown: ServiceError, address: string): ServiceError {
  const { code, fields, message } = thrown;
  if (code === "peer.malformed") {
    const what = `what answers at ${address} is no node's listener for other nodes; --join wants the address that a node has in --peer`;
    return new ServiceError(code, what, {}, { cause: thrown });
  }
  if (code !== "peer.refused") return thrown;
  const hint =
    fields["why"] === "secret"
      ? ": give both the same --secret-file or LOGKEEP_CLUSTER_SECRET"
      : "";
  const { why: _, ...facts } = fields;
  return new ServiceError(code, `${message} (${address})${hint}`, facts, { cause: thrown });
}

async function ask(
  { self, secret, certificates, signal }: JoinOptions,
  address: string,
): Promise<z.infer<typeof answerSchema>> {
  const keys = { secret: Buffer.from(secret.text), certificates };
  const guest = { self, ...keys, address, signal, timeoutMs: askMs };
  const { head } = await askAsGuest(guest, method, { head: {}, bytes: [] });
  const parsed = answerSchema.safeParse(head);
  if (!parsed.success) {
    throw new ServiceError("peer.refused", "what answers is no node that can be joined", {
      address,
    });
  }
  if (parsed.data.coordinators.length > 0) return parsed.data;
  const what =
    "the node's coordinator can be reached from its own machine only: start it with --coordinator HOST:PORT";
  throw new ServiceError("cluster.mismatch", what, { address });
}

/** Throws `cluster.mismatch` when the disk is of another cluster than the one that was found. */
export function checkSame(known: KnownCluster | undefined, found: string): void {
  if (known === undefined || known.cluster === found) return;
  const what = "the data directory belongs to another cluster";
  throw new ServiceError("cluster.mismatch", what, { own: known.cluster, found });
}

/** Answers who asks to join. `connect`: where this node's own session goes; `securedOf`: which of some take TLS. */
export function answerJoins(
  peers: Peers,
  cluster: { readonly id: string; readonly topology: Topology },
  connect: readonly string[],
  securedOf: (addresses: readonly string[]) => readonly string[],
): void {
  peers.handle(
    method,
    async () => {
      const said = cluster.topology.nodes().map(({ coordinator }) => coordinator);
      const all = [...new Set([...connect, ...said])].filter(
        (address) => address !== "" && isReachable(address, peers.address),
      );
      const head = { cluster: cluster.id, coordinators: all, secured: securedOf(all) };
      return { head, bytes: [] };
    },
    { guests: true },
  );
}
