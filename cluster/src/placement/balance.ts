import type { Loads } from "./loads.ts";
import { scoreOf } from "./rendezvous.ts";

/**
 * Moves copies to nodes that are below their bound, and from nodes that are above theirs, until none is, nothing helps, or so many
 * have moved. Each move takes from a fuller node for an emptier one; what is within the bounds stays.
 */
export function balance(loads: Loads, movesMax: number): void {
  const nodes = byFill(loads);
  let left = movesMax;
  for (const node of nodes.filter((each) => loads.isOpen(each))) {
    for (; left > 0 && isBelow(loads, node); left--) if (!pull(loads, node)) break;
  }
  for (const node of nodes.reverse()) {
    for (; left > 0 && isAbove(loads, node); left--) if (!shed(loads, node)) break;
  }
}

function isBelow({ count, low }: Loads, node: number): boolean {
  return (count[node] as number) < (low[node] as number);
}

function isAbove({ count, high }: Loads, node: number): boolean {
  return (count[node] as number) > (high[node] as number);
}

/** Moves one copy away from a node, to the emptiest that can take one. */
function shed(loads: Loads, from: number): boolean {
  for (const to of byFill(loads)) {
    if (to === from || !loads.isOpen(to) || !helps(loads, from, to)) continue;
    if (moveOne(loads, from, to)) return true;
  }
  return false;
}

/** Moves one copy to a node, from the fullest that can give one. */
function pull(loads: Loads, to: number): boolean {
  for (const from of byFill(loads).reverse()) {
    if (to === from || !helps(loads, from, to)) continue;
    if (moveOne(loads, from, to)) return true;
  }
  return false;
}

/** Whether the two are nearer to each other afterwards. */
function helps(loads: Loads, from: number, to: number): boolean {
  return loads.fillWith(to, 1) < loads.fill(from);
}

/** Of what the one has and the other may take, the shard that mends a zone, else the one that wants to go there most. */
function moveOne(loads: Loads, from: number, to: number): boolean {
  const { id } = loads.nodes[to] as { readonly id: number };
  let best = -1;
  let bestGain = 0;
  let bestScore = Number.NEGATIVE_INFINITY;
  for (const shard of loads.held[from] as Set<number>) {
    if (loads.held[to]?.has(shard)) continue;
    const gain = loads.sameZone(shard, from, from) - loads.sameZone(shard, to, from);
    if (gain < bestGain) continue;
    const score = scoreOf(id, shard, loads.weights[to] as number);
    if (gain === bestGain && score <= bestScore) continue;
    best = shard;
    bestGain = gain;
    bestScore = score;
  }
  if (best < 0) return false;
  loads.remove(best, from);
  loads.add(best, to);
  return true;
}

function byFill(loads: Loads): number[] {
  const all = loads.nodes.map((_, at) => at);
  return all.sort((a, b) => loads.fill(a) - loads.fill(b));
}
