import { balance } from "./balance.ts";
import { moveSlack } from "./limits.ts";
import { Loads, type PlacementNode } from "./loads.ts";
import { chooseOwners } from "./owners.ts";
import { scoreOf } from "./rendezvous.ts";

export type { PlacementNode } from "./loads.ts";

/** The nodes of each shard by their ids, the one that is to own it first. */
export type Placement = ReadonlyMap<number, readonly number[]>;

export interface PlacementInput {
  /** Those that may have copies; at least one of them is not away. In any order. */
  readonly nodes: readonly PlacementNode[];
  readonly shardCount: number;
  /** Copies of a shard; as many as there are nodes where there are fewer. */
  readonly replication: number;
  /** Where the copies are or were to be, in whatever state. */
  readonly before: Placement;
}

/**
 * Who is to have which shard. Copies stay where they are as long as their node is there and no fuller than its share and a
 * twentieth; what is missing goes where rendezvous hashing wants it among the nodes that have too little, copies
 * of one shard into different zones where the loads allow it. So a join or a leave moves about the node's share and no more.
 * Pure, and the same for the same input.
 */
export function place({ nodes, shardCount, replication, before }: PlacementInput): Placement {
  const sorted = nodes.toSorted((a, b) => a.id - b.id);
  const copies = Math.min(replication, sorted.length);
  const loads = new Loads(sorted, shardCount, copies);
  keep(loads, before);
  const changed = changeOf(loads, before);
  trim(loads, copies);
  const filled = fill(loads, copies);
  balance(loads, Math.max(0, Math.floor(changed * (1 + moveSlack)) - filled));
  return chooseOwners(loads, before);
}

/**
 * The placement with nodes that are gone, where there are fewer than `replication` others: a shard that had a copy there waits for it, and
 * is known to have too few. `before` as in `PlacementInput`; `isGone` says of whom that is so, and not that it was sent away.
 */
export function withGone(
  placement: Placement,
  before: Placement,
  replication: number,
  isGone: (node: number) => boolean,
): Placement {
  const padded = new Map(placement);
  for (const [shard, nodes] of placement) {
    const left = Math.max(0, replication - nodes.length);
    if (left === 0) continue;
    const gone = (before.get(shard) ?? []).filter((node) => !nodes.includes(node) && isGone(node));
    padded.set(shard, [...nodes, ...gone.slice(0, left)]);
  }
  return padded;
}

/**
 * How many copies may come to be elsewhere: the shares of those who joined, and what those had who left. When nobody did, a
 * part of a share, so that what an earlier round was too bounded to even out is evened out over time.
 */
function changeOf(loads: Loads, before: Placement): number {
  let had = 0;
  for (const [shard, ids] of before) if (shard < loads.sets.length) had += ids.length;
  let kept = 0;
  let joined = 0;
  for (const [node, count] of loads.count.entries()) {
    kept += count;
    if (count === 0) joined += loads.fair[node] as number;
  }
  const changed = joined + had - kept;
  return changed > 0 ? changed : Math.ceil((kept / loads.nodes.length) * moveSlack);
}

function keep(loads: Loads, before: Placement): void {
  const indices = new Map(loads.nodes.map(({ id }, at) => [id, at]));
  for (const [shard, ids] of before) {
    if (shard >= loads.sets.length) continue;
    for (const id of new Set(ids)) {
      const node = indices.get(id);
      if (node !== undefined) loads.add(shard, node);
    }
  }
}

/** Where there are more copies than are wanted now, those on the fullest nodes go. */
function trim(loads: Loads, copies: number): void {
  for (const [shard, set] of loads.sets.entries()) {
    while (set.length > copies) {
      const fullest = set.reduce((a, b) => (loads.fill(b) > loads.fill(a) ? b : a));
      loads.remove(shard, fullest);
    }
  }
}

/** Returns how many copies were missing and have a place now. */
function fill(loads: Loads, copies: number): number {
  let filled = 0;
  for (const [shard, set] of loads.sets.entries()) {
    for (; set.length < copies; filled++) {
      const node = chosen(loads, shard);
      if (node < 0) break;
      loads.add(shard, node);
    }
  }
  return filled;
}

/**
 * The node that a further copy goes to. Whoever has too little comes first, then whoever has less than its share, then whoever
 * has room; of those, in a zone that has none of the copies; of those, the one with the highest score. Below 0: there is none.
 */
function chosen(loads: Loads, shard: number): number {
  const set = loads.sets[shard] as number[];
  let best = -1;
  let bestRank = Number.POSITIVE_INFINITY;
  let bestScore = Number.NEGATIVE_INFINITY;
  for (let node = 0; node < loads.nodes.length; node++) {
    if (!loads.isOpen(node) || set.includes(node)) continue;
    const rank = rankOf(loads, shard, node);
    if (rank > bestRank) continue;
    const { id } = loads.nodes[node] as PlacementNode;
    const score = scoreOf(id, shard, loads.weights[node] as number);
    if (rank === bestRank && score <= bestScore) continue;
    best = node;
    bestRank = rank;
    bestScore = score;
  }
  return best;
}

/** Lower is better; a zone of its own is worth more than an even load, but not than a node beyond its bound. */
function rankOf(loads: Loads, shard: number, node: number): number {
  const count = loads.count[node] as number;
  const same = loads.sameZone(shard, node);
  const level =
    count < (loads.low[node] as number)
      ? 0
      : count < (loads.fair[node] as number)
        ? 1
        : count < (loads.high[node] as number)
          ? 2
          : 3;
  // Beyond the bound the zone no longer counts, and the emptiest comes first.
  return level === 3 ? 1_000 + loads.fillWith(node, 1) : same * 10 + level;
}
