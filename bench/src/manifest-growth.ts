import { randomUUID } from "node:crypto";
import type { Cluster } from "../../cluster/src/cluster.ts";
import { paths } from "../../cluster/src/paths.ts";
import type { SegmentEntry } from "../../storage/src/shard/manifest.ts";

/** Shards that are sealed into; the others are like them. */
const shards = [0, 1, 2, 3];

/** Segments that a shard has at 1×, none of them merged with another: a day of a shard that seals every quarter of an hour. */
const segments = 96;

/** Seals each of some shards so often, then ten times as often, and counts the znodes of all `shardCount`. */
export async function sealMany(cluster: Cluster, shardCount: number): Promise<object[]> {
  const rows: object[] = [];
  const epochs = await acquireAll(cluster);
  let sealed = 0;
  for (const times of [1, 10]) {
    for (; sealed < segments * times; sealed++) {
      await Promise.all(
        shards.map((shard, at) => seal(cluster, shard, epochs[at] as number, sealed)),
      );
    }
    const counts = await Promise.all(
      shards.map(async (shard) => {
        const { children } = await cluster.client.getChildren(paths.shardSegments(shard));
        return children.length;
      }),
    );
    const most = Math.max(...counts);
    rows.push({
      ...{ name: `segments at ${times}×`, segmentsPerShard: sealed, znodesPerShardMost: most },
      ...{ znodesOfAllShardsMost: most * shardCount, shards: shardCount },
    });
  }
  return rows;
}

async function acquireAll({ ownership }: Cluster): Promise<number[]> {
  const found = await ownership.read(shards);
  return Promise.all(
    found.map(async ({ version, epoch }, at) => {
      const claim = { kind: "acquire", epoch: epoch + 1, owner: ownership.self } as const;
      const shard = shards[at] as number;
      const { kind } = await ownership.change(shard, version, { ...claim, isHeld: false });
      if (kind !== "done") throw new Error(`shard ${shard} is not acquired: ${kind}`);
      return epoch + 1;
    }),
  );
}

async function seal(
  { manifest }: Cluster,
  shard: number,
  epoch: number,
  position: number,
): Promise<void> {
  const { kind } = await manifest.commitSeal({
    ...{ shard, epoch, sealedThrough: { epoch, position }, checkpoint: `checkpoint-${position}` },
    segments: [segmentOf(epoch, position)],
  });
  if (kind !== "committed") throw new Error(`a seal of shard ${shard} is not committed: ${kind}`);
}

function segmentOf(epoch: number, position: number): SegmentEntry {
  const uuid = randomUUID();
  const moment = { ms: Date.now(), ns: 0 };
  return {
    ...{ uuid, file: `${epoch}-${uuid}`, epoch, rows: 100_000, bytes: 1e7 },
    ...{ positionFrom: position, positionThrough: position, level: 0, replaces: [] },
    partitions: [
      {
        ...{ tenant: "default", class: "default", internal: false, rows: 100_000 },
        ...{ timeMin: moment, timeMax: moment, receiptMsMax: moment.ms },
      },
    ],
  };
}
