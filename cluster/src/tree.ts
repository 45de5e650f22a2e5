import { randomUUID } from "node:crypto";

import type { ZooKeeperClient } from "../../coordinator/src/client/client.ts";
import { isZooKeeperError } from "../../coordinator/src/client/errors.ts";
import { childPath } from "../../coordinator/src/client/paths.ts";
import { ServiceError } from "../../kit/src/errors.ts";
import { type Access, aclAt } from "./access.ts";
import { directories, paths } from "./paths.ts";
import { isPassing, settle } from "./settle.ts";
import {
  type ClusterState,
  clusterSchema,
  decodeZnode,
  encodeZnode,
  znodeFormat,
} from "./znode-data.ts";

/** Znodes whose ACL is set at a time when the tree is opened or closed. */
const aclsInFlight = 500;

/**
 * Makes the cluster's tree where there is none, closes or opens it where the setting has changed, and says what
 * the cluster is. `shards` counts only when the cluster is made. Throws `cluster.mismatch` when the tree belongs to others, or to later releases.
 */
export async function ensureTree(
  client: ZooKeeperClient,
  access: Access,
  shards: number,
): Promise<ClusterState> {
  try {
    return await settle(() => ensureOnce(client, access, shards));
  } catch (thrown) {
    if (!isZooKeeperError(thrown, "NOAUTH")) throw thrown;
    const text =
      "the coordinator's /logkeep belongs to other credentials: nodes of its cluster have another secret than this one; " +
      "start it with --secret-file and the file cluster-secret of one's data directory, or the one that they were given";
    const fields = { path: thrown.path };
    throw new ServiceError("cluster.mismatch", text, fields, { cause: thrown });
  }
}

async function ensureOnce(
  client: ZooKeeperClient,
  access: Access,
  shards: number,
): Promise<ClusterState> {
  await checkFormat(client);
  const wanted = access.isClosed ? "closed" : "open";
  const made: ClusterState = { id: randomUUID(), format: znodeFormat, shards, access: wanted };
  // In one turn: each parent is asked for before its children.
  const created = [
    ...directories.map((path) => client.create(path, null, { acl: aclAt(access, path) })),
    client.create(paths.cluster, encodeZnode(made), { acl: aclAt(access, paths.cluster) }),
  ];
  for (const outcome of await Promise.allSettled(created)) {
    if (outcome.status === "fulfilled") continue;
    if (!isZooKeeperError(outcome.reason, "NODEEXISTS")) throw outcome.reason;
  }
  const { data, stat } = await client.getData(paths.cluster);
  const found = decodeZnode(clusterSchema, paths.cluster, data);
  if (found.access === wanted) return found;
  const changed = { ...found, access: wanted } as const;
  await setAcls(client, access);
  await client.setData(paths.cluster, encodeZnode(changed), stat.version);
  return changed;
}

/** Throws `cluster.mismatch` for a tree that a later release has given a form unknown here; before anything is written to it. */
async function checkFormat(client: ZooKeeperClient): Promise<void> {
  const found = await client.getData(paths.cluster).catch((thrown: unknown) => {
    if (isZooKeeperError(thrown, "NONODE")) return undefined;
    throw thrown;
  });
  if (found === undefined) return;
  const { format } = formatOf(found.data);
  if (format <= znodeFormat) return;
  const text = "the cluster's znodes are of a later release: this one is too old to join it";
  throw new ServiceError("cluster.mismatch", text, { format, known: znodeFormat });
}

/** Of the form alone: whatever else a later one says may be anything. */
function formatOf(data: Uint8Array | null): { readonly format: number } {
  return decodeZnode(clusterSchema.pick({ format: true }), paths.cluster, data);
}

/** Everything below `/logkeep` but the records in inboxes, whose ACLs are their senders'. */
async function setAcls(client: ZooKeeperClient, access: Access): Promise<void> {
  for (let level: readonly string[] = [paths.root]; level.length > 0; ) {
    const next: string[] = [];
    for (let at = 0; at < level.length; at += aclsInFlight) {
      const some = level.slice(at, at + aclsInFlight);
      const lists = await Promise.all(some.map((path) => setAclOf(client, access, path)));
      for (const list of lists) for (const path of list) next.push(path);
    }
    level = next;
  }
}

/** Returns the children to go on with. */
async function setAclOf(
  client: ZooKeeperClient,
  access: Access,
  path: string,
): Promise<readonly string[]> {
  const isInbox = path.startsWith(`${paths.inbox}/`);
  try {
    await client.setAcl(path, aclAt(access, path));
    if (isInbox) return [];
    const { children } = await client.getChildren(path);
    return children.map((name) => childPath(path, name));
  } catch (thrown) {
    if (isZooKeeperError(thrown, "NONODE")) return [];
    throw thrown;
  }
}

/**
 * A write that is ordered behind everything before it: what this session reads afterwards is at least as new.
 * `sync` would not do, since a deposed leader may answer it.
 */
export async function barrierWrite(client: ZooKeeperClient, node: number): Promise<void> {
  await client.setData(paths.node(node), null);
}

/** Makes the znode of a node, under which its incarnations are. */
export async function ensureNode(
  client: ZooKeeperClient,
  access: Access,
  node: number,
): Promise<void> {
  await settle(async () => {
    try {
      await client.create(paths.node(node), null, { acl: access.acl });
    } catch (thrown) {
      if (isPassing(thrown) || !isZooKeeperError(thrown, "NODEEXISTS")) throw thrown;
    }
  });
}
