import { statfsSync } from "node:fs";
import { z } from "zod";
import type { Peers } from "../../cluster/src/peers/peers.ts";
import type { Topology } from "../../cluster/src/topology.ts";
import { messageOf } from "../../kit/src/errors.ts";
import type { Logger } from "../../kit/src/logger.ts";
import type { Store } from "../../storage/src/shard/store.ts";

const count = z.int().nonnegative();

const schema = z.object({
  uptimeMs: z.number().nonnegative(),
  rssBytes: count,
  disk: z.object({ totalBytes: count, freeBytes: count, isFull: z.boolean() }),
  /** The shards that it owns, and their other replicas as it knows them. */
  shards: z.array(
    z.object({
      shard: count,
      epoch: count,
      /** The last entry that is committed; replicas may have more. */
      end: count,
      records: count,
      segments: count,
      segmentBytes: count,
      replicas: z.array(z.object({ replica: z.string().max(256), durable: count })).max(64),
    }),
  ),
});

/** What a node says of itself when another asks. */
export type NodeStatus = z.infer<typeof schema>;

const method = "node.status";

/** How long a node may take to answer, before an overview is given without it. */
const answerMs = 1_500;

/** `store`: undefined where the node has none. */
export function nodeStatusOf(store: Store | undefined, dataDir: string): NodeStatus {
  const { blocks, bsize, bavail } = statfsSync(dataDir);
  const { disk, shards } = store?.status() ?? { disk: { isFull: false }, shards: [] };
  return {
    uptimeMs: Math.round(process.uptime() * 1000),
    rssBytes: process.memoryUsage.rss(),
    disk: { totalBytes: blocks * bsize, freeBytes: bavail * bsize, isFull: disk.isFull },
    shards: shards
      .filter(({ state }) => state === "serving")
      .map((shard) => ({
        shard: shard.shard,
        epoch: shard.epoch,
        end: shard.committed.position,
        records: shard.segmentRows + shard.memoryRows,
        segments: shard.segments,
        segmentBytes: shard.segmentBytes,
        replicas: shard.others.map(({ replica, durable }) => ({ replica, durable })),
      })),
  };
}

/** Answers other nodes' questions about this one. */
export function answerStatus(peers: Peers, status: () => NodeStatus): void {
  peers.handle(method, async () => ({ head: status(), bytes: [] }));
}

/** Asks all nodes that are there; those that do not answer in time are left out. */
export async function nodeStatuses(
  peers: Peers,
  topology: Topology,
  own: NodeStatus,
  logger: Logger,
): Promise<ReadonlyMap<number, NodeStatus>> {
  const { nodeId } = peers.self;
  const others = topology.nodes().filter((node) => node.nodeId !== nodeId);
  const answers = await Promise.all(
    others.map(async (node) => {
      try {
        const question = { head: {}, bytes: [] };
        const answer = await peers.call(node.nodeId, method, question, { timeoutMs: answerMs });
        return [[node.nodeId, schema.parse(answer.head)] as const];
      } catch (thrown) {
        logger.info({ peer: node.nodeId, reason: messageOf(thrown) }, "a node says no status");
        return [];
      }
    }),
  );
  return new Map([[nodeId, own] as const, ...answers.flat()]);
}
