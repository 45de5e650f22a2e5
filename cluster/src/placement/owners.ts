import { slack } from "./limits.ts";
import type { Loads } from "./loads.ts";

/** How many shards each node owns while owners are chosen, and how many it should. */
interface Owned {
  readonly count: Int32Array;
  readonly fair: Float64Array;
}

/**
 * Puts the owner first in each set. Who was first stays, as long as no node owns more than its part of what it has copies of;
 * to make another the owner costs a hand-over and moves no data.
 */
export function chooseOwners(
  loads: Loads,
  before: ReadonlyMap<number, readonly number[]>,
): ReadonlyMap<number, readonly number[]> {
  const owners = new Int32Array(loads.sets.length).fill(-1);
  const owned: Owned = {
    count: new Int32Array(loads.nodes.length),
    fair: fairOf(loads),
  };
  const indices = new Map(loads.nodes.map(({ id }, at) => [id, at]));
  const give = (shard: number, node: number): void => {
    const old = owners[shard] as number;
    if (old >= 0) owned.count[old] = (owned.count[old] as number) - 1;
    owners[shard] = node;
    owned.count[node] = (owned.count[node] as number) + 1;
  };
  for (const [shard, set] of loads.sets.entries()) {
    const last = indices.get(before.get(shard)?.[0] ?? -1);
    if (last !== undefined && set.includes(last)) give(shard, last);
  }
  for (const [shard, set] of loads.sets.entries()) {
    if (owners[shard] === -1) give(shard, emptiest(owned, set));
  }
  for (const [shard, set] of loads.sets.entries()) {
    const owner = owners[shard] as number;
    const other = emptiest(owned, set);
    if (isTooFull(owned, owner) && betters(owned, owner, other)) give(shard, other);
  }
  for (const [shard, set] of loads.sets.entries()) {
    const owner = owners[shard] as number;
    const other = emptiest(owned, set);
    if (isTooEmpty(owned, other) && betters(owned, owner, other)) give(shard, other);
  }
  return new Map(
    loads.sets.map((set, shard) => {
      const owner = owners[shard] as number;
      // The others by their ids, so that the same sets are the same bytes.
      const others = set.filter((node) => node !== owner).sort((a, b) => a - b);
      const ids = [owner, ...others].map((node) => loads.nodes[node]?.id as number);
      return [shard, ids] as const;
    }),
  );
}

/** Of each copy its part: a node that has many copies owns many. */
function fairOf(loads: Loads): Float64Array {
  const fair = new Float64Array(loads.nodes.length);
  for (const set of loads.sets) {
    for (const node of set) fair[node] = (fair[node] as number) + 1 / set.length;
  }
  return fair;
}

function emptiest({ count, fair }: Owned, set: readonly number[]): number {
  const fillOf = (node: number): number => ((count[node] as number) + 1) / (fair[node] as number);
  return set.reduce((a, b) => (fillOf(b) < fillOf(a) ? b : a));
}

function isTooFull({ count, fair }: Owned, node: number): boolean {
  const share = fair[node] as number;
  return (count[node] as number) > Math.max(Math.ceil(share), share * (1 + slack));
}

function isTooEmpty({ count, fair }: Owned, node: number): boolean {
  const share = fair[node] as number;
  return (count[node] as number) < Math.min(Math.floor(share), share * (1 - slack));
}

/** Whether the two are nearer to each other when one more shard is the other's. */
function betters({ count, fair }: Owned, from: number, to: number): boolean {
  if (from === to) return false;
  const after = ((count[to] as number) + 1) / (fair[to] as number);
  return after < (count[from] as number) / (fair[from] as number);
}
