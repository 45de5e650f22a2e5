import type { BackupZnode } from "../../../api/src/backup.ts";
import { paths } from "../../../cluster/src/paths.ts";
import type { ZooKeeperClient } from "../../../coordinator/src/client/client.ts";
import { isZooKeeperError } from "../../../coordinator/src/client/errors.ts";
import { childPath } from "../../../coordinator/src/client/paths.ts";
import type { Acl } from "../../../coordinator/src/wire/records.ts";
import { ServiceError } from "../../../kit/src/errors.ts";
import { znodeBytesMax, znodesInFlight } from "./limits.ts";

/** What tells of nodes and files, or is of one ensemble only: a restored cluster has its own. */
const leftOut: ReadonlySet<string> = new Set([
  ...[paths.nodes, paths.roles, paths.assignments, paths.shards, paths.segments],
  ...[paths.folds, paths.inbox, paths.cluster],
]);

/** The cluster's configuration below `/logkeep`, parents first. Rejects as the coordinator does, and when it is too large. */
export async function readZnodes(client: ZooKeeperClient): Promise<BackupZnode[]> {
  const znodes: BackupZnode[] = [];
  let bytes = 0;
  for (let level: readonly string[] = [paths.root]; level.length > 0; ) {
    const next: string[] = [];
    for (let at = 0; at < level.length; at += znodesInFlight) {
      const some = level.slice(at, at + znodesInFlight);
      for (const found of await Promise.all(some.map((path) => readOne(client, path)))) {
        if (found === undefined) continue;
        if (found.znode.path !== paths.root) znodes.push(found.znode);
        bytes += (found.znode.data?.length ?? 0) + found.znode.path.length;
        for (const path of found.children) next.push(path);
      }
      if (bytes > znodeBytesMax) {
        throw new ServiceError("storage.failed", "the configuration is too large for a backup", {
          znodeBytesMax,
        });
      }
    }
    level = next;
  }
  return znodes;
}

async function readOne(
  client: ZooKeeperClient,
  path: string,
): Promise<{ znode: BackupZnode; children: readonly string[] } | undefined> {
  try {
    const [{ data, stat }, { children }, { acl }] = await Promise.all([
      client.getData(path),
      client.getChildren(path),
      client.getAcl(path),
    ]);
    if (stat.ephemeralOwner !== 0n) return undefined;
    const isOwn = !acl.some(({ id }) => id.scheme === "world");
    const text = data === null ? null : Buffer.from(data).toString("base64");
    const below = children.map((name) => childPath(path, name)).filter((one) => !leftOut.has(one));
    return { znode: { path, data: text, isOwn }, children: below };
  } catch (thrown) {
    if (isZooKeeperError(thrown, "NONODE")) return undefined;
    throw thrown;
  }
}

/** Puts them into a new cluster's tree, over what it was made with. */
export async function writeZnodes(
  client: ZooKeeperClient,
  znodes: readonly BackupZnode[],
  acls: { readonly own: readonly Acl[]; readonly open: readonly Acl[] },
): Promise<void> {
  for (const { path, data, isOwn } of znodes) {
    const bytes = data === null ? null : Buffer.from(data, "base64");
    try {
      await client.create(path, bytes, { acl: isOwn ? acls.own : acls.open });
    } catch (thrown) {
      if (!isZooKeeperError(thrown, "NODEEXISTS")) throw thrown;
      await client.setData(path, bytes);
    }
  }
}
