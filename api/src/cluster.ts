import { z } from "zod";

const count = z.int().min(0);
const node = z.int().min(1).max(255);

const shardReplicaSchema = z.strictObject({
  node,
  disk: z.string().describe("A node with another disk has another copy, or none."),
  isInSync: z.boolean().describe("It has every record that was acknowledged."),
  isLive: z.boolean(),
  lag: count.optional().describe("Entries of the log that the owner has and it has not."),
});

const shardListedSchema = z
  .strictObject({
    id: count,
    state: z
      .enum(["served", "moving", "offline", "unmade"])
      .describe(
        "moving: served, while copies go where they are to be; offline: nobody is known to serve it.",
      ),
    epoch: count,
    owner: node.optional(),
    next: node.optional().describe("To whom it is being handed over."),
    replicas: z.array(shardReplicaSchema),
    assigned: z.array(node).describe("Who is to have copies, the owner first."),
    isSingle: z
      .boolean()
      .describe("Acknowledged records are on one disk alone, though more should be."),
    records: count.optional().describe("As its owner says."),
    segmentBytes: count.optional(),
  })
  .meta({ id: "Shard" });

export const shardsAnswerSchema = z
  .strictObject({ shards: z.array(shardListedSchema) })
  .meta({ id: "ShardsAnswer" });

export const shardPath = z.strictObject({ shard: z.coerce.number().int().min(0).max(1_000_000) });
export const nodePath = z.strictObject({ node: z.coerce.number().pipe(node) });

export const moveRequestSchema = z.strictObject({ from: node, to: node }).meta({ id: "ShardMove" });

export const recoverRequestSchema = z
  .strictObject({ acceptLoss: z.literal(true) })
  .meta({ id: "ShardRecover" });

export const recoverAnswerSchema = z
  .strictObject({
    lost: z.array(z.string()).describe("Copies that no longer count, as node/disk."),
  })
  .meta({ id: "ShardRecovered" });

export type ShardsAnswer = z.output<typeof shardsAnswerSchema>;
export type ShardListed = z.output<typeof shardListedSchema>;
export type ShardReplica = z.output<typeof shardReplicaSchema>;
export type MoveRequest = z.output<typeof moveRequestSchema>;
