import { z } from "zod";
import { assert } from "../../../kit/src/assert.ts";
import { decodeZnode } from "../znode-data.ts";
import { bucketBytesMax, bucketsMax, copiesMax } from "./limits.ts";
import type { Placement } from "./place.ts";

/** `/logkeep/assignments/<bucket>`: the nodes of each of its shards by number, the one that is to own it first. */
const bucketSchema = z.object({
  version: z.literal(1),
  shards: z.record(
    z.string().regex(/^\d{1,6}$/),
    z.array(z.int().positive()).min(1).max(copiesMax),
  ),
});

/** The bucket that a shard's assignment lies in. */
export function bucketOf(shard: number): number {
  return shard % bucketsMax;
}

/** The znodes of a placement by bucket; buckets without a shard have none. The same placement is the same bytes. */
export function encodeBuckets(placement: Placement): ReadonlyMap<number, Buffer> {
  const buckets = new Map<number, Record<string, readonly number[]>>();
  for (const [shard, nodes] of [...placement].sort(([a], [b]) => a - b)) {
    const bucket = buckets.get(bucketOf(shard)) ?? {};
    bucket[String(shard)] = nodes;
    buckets.set(bucketOf(shard), bucket);
  }
  return new Map(
    [...buckets].map(([bucket, shards]) => {
      const bytes = Buffer.from(JSON.stringify({ version: 1, shards }));
      assert(bytes.length <= bucketBytesMax, `a bucket of ${bytes.length} bytes is too large`);
      return [bucket, bytes] as const;
    }),
  );
}

/** Throws `cluster.malformed` for what is none. */
export function decodeBucket(path: string, data: Uint8Array | null): Placement {
  const { shards } = decodeZnode(bucketSchema, path, data);
  return new Map(Object.entries(shards).map(([shard, nodes]) => [Number(shard), nodes]));
}
