import { randomUUID } from "node:crypto";
import { constants, existsSync, readdirSync } from "node:fs";
import { copyFile, open, rename, rm } from "node:fs/promises";
import path from "node:path";
import type { BackupManifest } from "../../../api/src/backup.ts";
import { BackupFolder, faultOf } from "../../../cli/src/backup/folder.ts";
import type { Cluster } from "../../../cluster/src/cluster.ts";
import { ZnodeFolds } from "../../../cluster/src/folds.ts";
import { paths } from "../../../cluster/src/paths.ts";
import {
  type ClusterState,
  decodeZnode,
  encodeZnode,
  type SegmentsState,
  type ShardState,
  segmentSchema,
  znodeFormat,
} from "../../../cluster/src/znode-data.ts";
import { settingsSchema } from "../../../config/src/schema.ts";
import { aclWorldRead } from "../../../coordinator/src/client/acl.ts";
import type { Acl } from "../../../coordinator/src/wire/records.ts";
import { ServiceError } from "../../../kit/src/errors.ts";
import { Lifecycle } from "../../../kit/src/lifecycle.ts";
import type { Logger } from "../../../kit/src/logger.ts";
import {
  type DataDirectory,
  openDataDirectory,
  storePaths,
} from "../../../storage/src/shard/data-directory.ts";
import type { SegmentEntry } from "../../../storage/src/shard/manifest.ts";
import { joinCluster } from "../cluster-part.ts";
import { clusterSecretOf } from "../cluster-secret.ts";
import { startCoordinatorThread } from "../threads/coordinator-host.ts";
import { writeZnodes } from "./znodes.ts";

/** Files whose faults are named; more only say how many. */
const faultsNamed = 5;

/**
 * Reads a backup's manifest and every byte of its files. Throws `backup.damaged` for what is not as it was copied, and for a
 * directory without a backup.
 */
export async function verifyBackup(from: string): Promise<BackupManifest> {
  const folder = new BackupFolder(from);
  const manifest = await folder.manifest();
  if (manifest === undefined) {
    const message = "there is no backup here, or none that was finished";
    throw new ServiceError("backup.damaged", message, { directory: from });
  }
  const faults: string[] = [];
  for (const file of manifest.files) {
    const fault = await faultOf(folder.pathOf(file.name), file);
    if (fault !== undefined) faults.push(`files/${file.name}: ${fault}`);
  }
  checkNamed(manifest, faults);
  if (faults.length === 0) return manifest;
  const named = faults.slice(0, faultsNamed).join("; ");
  const message = `the backup cannot be used: ${named}`;
  throw new ServiceError("backup.damaged", message, { directory: from, files: faults.length });
}

/** Every file that a shard names is in the backup. */
function checkNamed({ shards, files }: BackupManifest, faults: string[]): void {
  const names = new Set(files.map(({ name }) => name));
  for (const { shard, checkpoint, segments } of shards) {
    const needed = segments.map(({ file }) => file);
    if (checkpoint !== null) needed.push(checkpoint);
    for (const name of needed) {
      if (!names.has(`${shard}/${name}`)) faults.push(`files/${shard}/${name}: it is not listed`);
    }
  }
}

export interface RestoreOptions {
  /** As `verifyBackup` read it. */
  readonly manifest: BackupManifest;
  readonly from: string;
  /** Not there, or empty. */
  readonly to: string;
  readonly logger: Logger;
}

/** Within the data directory, so that it may be a volume of its own: what is not whole yet. */
const makingName = ".restoring";
/** Written last: without it no service starts on what is there. */
const idName = "disk-id";

/** Throws `storage.failed` unless a data directory can be made there; what an earlier restore left does not count. */
export function checkEmpty(to: string): void {
  const there = namesIn(to);
  const isLeft = there.includes(makingName) && !there.includes(idName);
  if (there.length === 0 || isLeft) return;
  const message = "the data directory is not empty; give another, or move this one away";
  throw new ServiceError("storage.failed", message, { directory: to });
}

/** But what a new volume has. */
function namesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).filter((name) => name !== "lost+found") : [];
}

/**
 * Makes a data directory of a backup. No service starts on it until it is whole, and what is broken off is begun anew. Rejects with
 * what the file system says.
 */
export async function restoreBackup({ manifest, from, to, logger }: RestoreOptions): Promise<void> {
  checkEmpty(to);
  const making = path.join(path.resolve(to), makingName);
  for (const name of namesIn(to)) await rm(path.join(to, name), { recursive: true, force: true });
  const data = await openDataDirectory(making);
  try {
    await copyFiles(manifest, from, data);
    await makeCluster(manifest, data, logger);
  } finally {
    data.release();
  }
  const names = readdirSync(making).filter((name) => name !== idName);
  for (const name of names) await rename(path.join(making, name), path.join(to, name));
  await synced(to);
  await rename(path.join(making, idName), path.join(to, idName));
  await rm(making, { recursive: true, force: true });
  await synced(to);
}

async function copyFiles(
  manifest: BackupManifest,
  from: string,
  data: DataDirectory,
): Promise<void> {
  const folder = new BackupFolder(from);
  const store = storePaths(data, manifest.shards.length);
  for (const { name } of manifest.files) {
    const [shard = "", file = ""] = name.split("/");
    const target = path.join(store.shard(Number(shard)), file);
    await copyFile(folder.pathOf(name), target, constants.COPYFILE_EXCL);
    await synced(target);
  }
  for (const { shard } of manifest.shards) await synced(store.shard(shard));
}

/** The coordinator's part: runs one on the new directory, for as long as it takes to tell it. */
async function makeCluster(
  manifest: BackupManifest,
  data: DataDirectory,
  logger: Logger,
): Promise<void> {
  const { shards, nodeId, isClosed } = manifest;
  const settings = settingsSchema.parse({ storage: { shards: shards.length } });
  const lifecycle = new Lifecycle();
  const failure = Promise.withResolvers<Error>();
  const abort = new AbortController();
  void failure.promise.then((error) => abort.abort(error));
  try {
    const { tickTimeMs, snapCount, connectionsPerAddress } = settings.coordinator;
    const host = await startCoordinatorThread(
      {
        dataDir: path.join(data.path, "coordinator"),
        ...{ host: "127.0.0.1", port: 0, serverId: nodeId },
        ...{ tickTimeMs, snapCount, connectionsPerAddress, superDigest: undefined },
      },
      logger,
      (error) => failure.resolve(error),
    );
    lifecycle.add("coordinator", () => host.close());
    const { cluster, ownAcl } = await joinCluster({
      connect: [`127.0.0.1:${host.address.port}`],
      plan: { kind: "own", members: 1 },
      dataDir: data.path,
      secret: await clusterSecretOf(data.path, settings, undefined),
      ...{ settings, isClosed, logger, signal: abort.signal },
      identity: { nodeId, diskId: data.diskId, incarnation: randomUUID() },
    });
    lifecycle.add("cluster", () => cluster.close());
    await fillCluster(manifest, data, cluster, ownAcl);
  } finally {
    await lifecycle.close();
  }
}

async function fillCluster(
  manifest: BackupManifest,
  data: DataDirectory,
  { client }: Cluster,
  own: readonly Acl[],
): Promise<void> {
  const { clusterId: id, shards, nodeId, isClosed, znodes } = manifest;
  const access = isClosed ? "closed" : "open";
  const state: ClusterState = { id, format: znodeFormat, shards: shards.length, access };
  await client.setData(paths.cluster, encodeZnode(state));
  const open = isClosed ? own : [...own, aclWorldRead];
  await writeZnodes(client, znodes, { own, open });
  const replica = `${nodeId}/${data.diskId}`;
  const folds = new ZnodeFolds(client, open);
  for (const { shard, epoch, generation, sealedThrough, checkpoint, segments } of shards) {
    const folded = segments.length === 0 ? null : `${epoch}-${randomUUID()}`;
    if (folded !== null) await folds.write(shard, folded, segments.map(entryOf));
    const nobody = { epoch, owner: null, next: null, transferMs: 0, lossEpoch: 0 };
    const owned: ShardState = { ...nobody, replicas: [replica], inSync: [replica] };
    const sealed: SegmentsState = { generation, sealedThrough, checkpoint, folded };
    await client.create(paths.shard(shard), encodeZnode(owned), { acl: open });
    await client.create(paths.shardSegments(shard), encodeZnode(sealed), { acl: open });
  }
}

function entryOf(entry: { readonly uuid: string }): SegmentEntry {
  return decodeZnode(segmentSchema, entry.uuid, Buffer.from(JSON.stringify(entry)));
}

async function synced(file: string): Promise<void> {
  const handle = await open(file, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
