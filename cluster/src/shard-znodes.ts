import type { ZooKeeperClient } from "../../coordinator/src/client/client.ts";
import { isZooKeeperError } from "../../coordinator/src/client/errors.ts";
import { steps } from "../../coordinator/src/client/multi.ts";
import type { Access } from "./access.ts";
import { paths } from "./paths.ts";
import { decodeZnode, encodeZnode, type ShardState, shardSchema } from "./znode-data.ts";

/** A shard's znodes as one look showed them. */
export interface SeenShard {
  readonly state: ShardState;
  /** Of `/logkeep/shards/<id>`. */
  readonly version: number;
  /** The ephemeral, while there is one. */
  readonly owner: { readonly name: string; readonly sessionId: bigint } | undefined;
}

/** Undefined when the shard was not made yet. Throws what the coordinator says. */
export async function lookAtShard(
  client: ZooKeeperClient,
  shard: number,
): Promise<SeenShard | undefined> {
  const [found, owner] = await Promise.allSettled([
    client.getData(paths.shard(shard)),
    client.getData(paths.shardOwner(shard)),
  ]);
  if (found.status === "rejected") {
    if (isZooKeeperError(found.reason, "NONODE")) return undefined;
    throw found.reason;
  }
  const state = decodeZnode(shardSchema, paths.shard(shard), found.value.data);
  const { version } = found.value.stat;
  if (owner.status === "fulfilled") {
    const { data, stat } = owner.value;
    const name = String(data ?? "");
    return { state, version, owner: { name, sessionId: stat.ephemeralOwner } };
  }
  if (!isZooKeeperError(owner.reason, "NONODE")) throw owner.reason;
  return { state, version, owner: undefined };
}

/** Makes a shard with these members, all in sync since nothing is stored. No matter if it is there already. */
export async function makeShard(
  client: ZooKeeperClient,
  { acl }: Access,
  shard: number,
  members: readonly string[],
): Promise<void> {
  const nobody = { epoch: 0, owner: null, next: null, transferMs: 0, lossEpoch: 0 };
  const state: ShardState = { ...nobody, replicas: [...members], inSync: [...members] };
  const sealedThrough = { epoch: 0, position: 0 };
  const sealed = { generation: 0, sealedThrough, checkpoint: null, folded: null };
  try {
    await client.multi([
      steps.create(paths.shard(shard), encodeZnode(state), { acl }),
      steps.create(paths.shardSegments(shard), encodeZnode(sealed), { acl }),
    ]);
  } catch (thrown) {
    if (!isZooKeeperError(thrown, "NODEEXISTS")) throw thrown;
  }
}
