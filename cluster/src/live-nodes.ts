import type { ZooKeeperClient } from "../../coordinator/src/client/client.ts";
import { isZooKeeperError } from "../../coordinator/src/client/errors.ts";
import { childPath } from "../../coordinator/src/client/paths.ts";
import { type NodeRecord, nodeOfReplica, replicaOf } from "./node.ts";
import { liveOfPath, paths } from "./paths.ts";
import { settle } from "./settle.ts";
import { decodeZnode, nodeSchema } from "./znode-data.ts";

/** A process that is there, and when its znode was made. */
export interface LiveProcess {
  readonly record: NodeRecord;
  readonly czxid: bigint;
}

/** The processes that are there under a node's number, on whatever disks. */
export async function processesOf(
  client: ZooKeeperClient,
  node: number,
): Promise<readonly LiveProcess[]> {
  const { children } = await client.getChildren(paths.node(node)).catch(nobody);
  const found = await Promise.all(
    children.map(async (child): Promise<readonly LiveProcess[]> => {
      const path = childPath(paths.node(node), child);
      if (liveOfPath(path) === undefined) return [];
      try {
        const { data, stat } = await client.getData(path);
        return [{ record: decodeZnode(nodeSchema, path, data), czxid: stat.czxid }];
      } catch (thrown) {
        if (isZooKeeperError(thrown, "NONODE")) return [];
        throw thrown;
      }
    }),
  );
  return found.flat();
}

/** Whether a process on the disk (`nodeId/diskId`) is there; as new as the session's last write. */
export async function isThere(client: ZooKeeperClient, replica: string): Promise<boolean> {
  const found = await settle(() => processesOf(client, nodeOfReplica(replica)));
  return found.some(({ record }) => replicaOf(record) === replica);
}

function nobody(thrown: unknown): { readonly children: readonly string[] } {
  if (isZooKeeperError(thrown, "NONODE")) return { children: [] };
  throw thrown;
}
