import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import type { Topology } from "../../cluster/src/topology.ts";
import { isLoopback, parseAddress } from "../../config/src/address.ts";
import { messageOf, ServiceError } from "../../kit/src/errors.ts";
import type { Logger } from "../../kit/src/logger.ts";
import { nodeDisk, replaceFile } from "../../storage/src/log/disk.ts";

/** Addresses of each kind that are kept: more than an ensemble has members, and enough nodes to find one that is there. */
const addressesMax = 64;

const addresses = z.array(z.string().min(3).max(512)).max(addressesMax);

const schema = z.object({
  /** The cluster's id. */
  cluster: z.string().min(1).max(256),
  /** `host:port` where clients of the coordinator are served. */
  coordinators: addresses,
  /** Those of them that take TLS with keys of the cluster's secret. */
  secured: addresses.default([]),
  /** `host:port` of the nodes' listeners for each other. */
  peers: addresses,
});

/** What a node that joined keeps of its cluster, so that it comes back whichever nodes are there. */
export type KnownCluster = z.infer<typeof schema>;

const fileName = "cluster.json";

/** Undefined for a node that never joined another. Throws `storage.damaged`. */
export function readKnownCluster(dataDir: string): KnownCluster | undefined {
  const file = path.join(dataDir, fileName);
  if (!existsSync(file)) return undefined;
  try {
    return schema.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch (thrown) {
    const fields = { file, reason: messageOf(thrown).slice(0, 500) };
    throw new ServiceError("storage.damaged", "what is known of the cluster is damaged", fields);
  }
}

/** Keeps it, and again after each change of the nodes. Returns how to stop. */
export async function keepKnownCluster(
  dataDir: string,
  first: KnownCluster,
  topology: Topology,
  logger: Logger,
): Promise<() => void> {
  const file = path.join(dataDir, fileName);
  let written = "";
  let turn: Promise<void> = Promise.resolve();
  const write = async (): Promise<void> => {
    const known = knownOf(first, topology);
    const text = `${JSON.stringify(known, undefined, 2)}\n`;
    if (text === written) return;
    await replaceFile(nodeDisk, file, Buffer.from(text));
    written = text;
  };
  await write();
  return topology.onNodes(() => {
    turn = turn.then(write).catch((thrown: unknown) => {
      logger.warn({ err: thrown, file }, "what is known of the cluster could not be kept");
    });
  });
}

/** Addresses that were known stay behind those that are said now: a node that is away may be back where it was. */
function knownOf(first: KnownCluster, topology: Topology): KnownCluster {
  const nodes = topology.nodes();
  const said = (which: "coordinator" | "peer"): string[] =>
    nodes.map((node) => node[which]).filter((address) => address !== "");
  const coordinators = [...new Set([...said("coordinator"), ...first.coordinators])];
  const peers = [...new Set([...said("peer"), ...first.peers])];
  // What is said now counts: a node may have gone back to a release that takes no TLS.
  const others = first.secured.filter((address) => !said("coordinator").includes(address));
  const secured = nodes.filter((node) => node.coordinatorTls).map(({ coordinator }) => coordinator);
  return {
    cluster: first.cluster,
    coordinators: coordinators.slice(0, addressesMax),
    secured: [...new Set([...secured, ...others])].slice(0, addressesMax),
    peers: peers.slice(0, addressesMax),
  };
}

/** Whether an address that a node said of itself is one that a node at `own` may use. */
export function isReachable(address: string, own: string): boolean {
  // On another machine the same loopback address is somebody else.
  return isLoopback(parseAddress(address).host) === isLoopback(parseAddress(own).host);
}
