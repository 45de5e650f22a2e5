import { setTimeout as sleep } from "node:timers/promises";
import type { ShardListed, ShardsAnswer } from "../../api/src/cluster.ts";
import type { Service } from "../service.ts";

/**
 * Resolves when each shard has an owner and all of its copies in sync, as some node tells. Before that a node may have the only
 * copy in sync of a shard, which nobody serves once that node is dead.
 */
export async function allInSync(nodes: () => readonly Service[]): Promise<void> {
  const endMs = performance.now() + 180_000;
  let all: readonly ShardListed[] = [];
  for (;;) {
    all = (await shardsOf(nodes()[0])) ?? [];
    if (all.length > 0 && all.every(isInSync)) return;
    if (performance.now() > endMs) throw new Error(`not in sync: ${JSON.stringify(all)}`);
    await sleep(100);
  }
}

function isInSync({ assigned, owner, replicas }: ShardListed): boolean {
  const inSync = replicas.filter((each) => each.isInSync && each.isLive);
  return owner !== undefined && inSync.length === assigned.length;
}

/** Undefined while it does not answer. */
async function shardsOf(node: Service | undefined): Promise<readonly ShardListed[] | undefined> {
  try {
    const response = await fetch(`${node?.http}/api/v1/cluster/shards`);
    return response.ok ? ((await response.json()) as ShardsAnswer).shards : undefined;
  } catch {
    return undefined;
  }
}
