import { z } from "zod";

import { assert } from "../../kit/src/assert.ts";
import { messageOf, ServiceError } from "../../kit/src/errors.ts";
import type { SegmentEntry } from "../../storage/src/shard/manifest.ts";
import { shardsMax, znodeBytesMax } from "./limits.ts";
import type { NodeRecord } from "./node.ts";

const count = z.int().nonnegative();
const name = z.string().min(1).max(256);
const moment = z.object({ ms: z.number(), ns: z.int().min(0).max(999_999) });
const logPoint = z.object({ epoch: count, position: count });

/**
 * The form of all znodes below `/logkeep` that this release makes and reads; it reads every lower one too. What a release adds to a znode has
 * a value for when it is missing, and an older one leaves it out: that is no other form. A form that older nodes would misread is another
 * number, which a release writes into a cluster that has a lower one only once a person has said so, since those nodes are refused from then on.
 */
export const znodeFormat = 1;

/** `/logkeep/config/cluster`: fixed when the cluster is made, but for its form and for who may read its znodes. */
export const clusterSchema = z.object({
  id: name,
  format: z.int().min(1).default(1),
  shards: z.int().min(1).max(shardsMax),
  access: z.enum(["open", "closed"]),
});
export type ClusterState = z.infer<typeof clusterSchema>;

/** `/logkeep/nodes/<node>/live-<incarnation>`. What a release before did not say has a value here. */
export const nodeSchema: z.ZodType<NodeRecord> = z.object({
  nodeId: z.int().positive(),
  diskId: name,
  incarnation: name,
  state: z.enum(["starting", "live", "stopping"]).default("live"),
  http: z.string().max(512),
  peer: z.string().max(512).default(""),
  coordinator: z.string().max(512).default(""),
  coordinatorTls: z.boolean().default(false),
  zone: z.string().max(256),
  roles: z.array(z.string().max(64)).max(16),
  version: z.string().max(256),
  startedMs: z.number(),
  capacityBytes: count,
});

/** `/logkeep/shards/<id>`. Replicas are `nodeId/diskId`, the owner `nodeId/diskId/incarnation`. */
export const shardSchema = z.object({
  epoch: count,
  owner: name.nullable(),
  next: name.nullable(),
  transferMs: count,
  replicas: z.array(name),
  inSync: z.array(name),
  /** The epoch with which a person last accepted that records may be lost; 0: never. */
  lossEpoch: count.default(0),
});
export type ShardState = z.infer<typeof shardSchema>;

/** `/logkeep/segments/<id>`. */
export const segmentsSchema = z.object({
  generation: count,
  sealedThrough: logPoint,
  checkpoint: name.nullable(),
  /** The file that holds the entries which are no znodes any more. */
  folded: name.nullable(),
});
export type SegmentsState = z.infer<typeof segmentsSchema>;

/** `/logkeep/segments/<id>/seg-<seq>`. */
export const segmentSchema: z.ZodType<SegmentEntry> = z.object({
  uuid: name,
  file: name,
  epoch: count,
  positionFrom: count,
  positionThrough: count,
  rows: count,
  bytes: count,
  level: count,
  replaces: z.array(name),
  deletedThrough: count.optional(),
  partitions: z.array(
    z.object({
      tenant: name,
      class: name,
      internal: z.boolean(),
      rows: count,
      timeMin: moment,
      timeMax: moment,
      receiptMsMax: z.number(),
    }),
  ),
});

/** `/logkeep/inbox/<tenant>`: another ensemble starts its zxids anew, and so has another uuid here. */
export const inboxSchema = z.object({ uuid: name });

/** The bytes of a znode of ours. */
export function encodeZnode(value: object): Buffer {
  const bytes = Buffer.from(JSON.stringify(value));
  assert(bytes.length <= znodeBytesMax, `a znode of ${bytes.length} bytes is too large`);
  return bytes;
}

/** Throws `cluster.malformed` for what is not as the schema says. */
export function decodeZnode<T>(schema: z.ZodType<T>, path: string, data: Uint8Array | null): T {
  try {
    return schema.parse(JSON.parse(Buffer.from(data ?? []).toString()));
  } catch (thrown) {
    const fields = { path, reason: messageOf(thrown).slice(0, 500) };
    throw new ServiceError("cluster.malformed", "a znode cannot be read", fields, {
      cause: thrown,
    });
  }
}
