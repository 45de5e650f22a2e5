import { z } from "zod";

/** What a backup is made of: the answer that begins one, and the file that ends it. */

const count = z.int().min(0);
const name = z.string().min(1).max(256);
const logPoint = z.strictObject({ epoch: count, position: count });

export const backupShardSchema = z.strictObject({
  shard: count,
  epoch: count,
  generation: count,
  sealedThrough: logPoint,
  checkpoint: name.nullable(),
  segments: z.array(z.looseObject({ uuid: name, file: name, bytes: count, rows: count })),
});

/** A znode of the cluster's configuration: keys' hashes, rules, resume offsets. */
export const backupZnodeSchema = z.strictObject({
  path: z.string().startsWith("/logkeep/").max(1024),
  data: z.string().nullable().describe("Base64."),
  isOwn: z.boolean().describe("Whether only the cluster's nodes may read it."),
});

const backupFacts = {
  clusterId: name,
  nodeId: z.int().min(1).max(255),
  isClosed: z.boolean().describe("Whether anonymous clients of the coordinator see nothing."),
  createdAt: z.string(),
  version: z.string().describe("Of Logkeep."),
  shards: z.array(backupShardSchema).min(1),
  znodes: z.array(backupZnodeSchema),
  missing: z.array(z.string()).describe("What was damaged already."),
};

/** A path of two names below `files/`: the shard, and the file. */
const fileName = z.string().regex(/^\d{1,5}\/[A-Za-z0-9][A-Za-z0-9-]{0,200}$/);

export const backupStartedSchema = z
  .strictObject({
    id: z.string(),
    ...backupFacts,
    files: z.array(z.strictObject({ name: fileName, bytes: count })),
  })
  .meta({ id: "BackupStarted" });

/** `backup.json`: SHA-256 of the rest in its first line, then this as JSON. */
export const backupManifestSchema = z.strictObject({
  format: z.literal("logkeep-backup"),
  formatVersion: z.literal(1),
  ...backupFacts,
  files: z.array(
    z.strictObject({ name: fileName, bytes: count, sha256: z.string().regex(/^[0-9a-f]{64}$/) }),
  ),
});

export const backupFilePath = z.object({
  id: z.string().max(64),
  shard: z.string().regex(/^\d{1,5}$/),
  file: z.string().max(256),
});
export const backupPath = z.object({ id: z.string().max(64) });

export type BackupZnode = z.output<typeof backupZnodeSchema>;
export type BackupStarted = z.output<typeof backupStartedSchema>;
export type BackupManifest = z.output<typeof backupManifestSchema>;
