import { weightShareMin } from "./limits.ts";

/**
 * How many copies each node should have of `total`: in proportion to its weight, and none more than `most`, since two copies of one
 * shard on a node are one. What the large ones cannot take the others share.
 */
export function fairShares(weights: readonly number[], total: number, most: number): Float64Array {
  const shares = new Float64Array(weights.length);
  let open = weights.map((_, at) => at);
  let left = total;
  for (;;) {
    const sum = open.reduce((all, at) => all + (weights[at] as number), 0);
    const shareOf = (at: number): number => (left * (weights[at] as number)) / sum;
    const full = open.filter((at) => shareOf(at) > most);
    if (full.length === 0) {
      for (const at of open) shares[at] = shareOf(at);
      return shares;
    }
    for (const at of full) shares[at] = most;
    left -= most * full.length;
    open = open.filter((at) => !full.includes(at));
  }
}

/** Capacities as weights: a node that says nothing counts as the average of those that do. */
export function weightsOf(capacities: readonly number[]): readonly number[] {
  const said = capacities.filter((bytes) => bytes > 0);
  const average = said.length === 0 ? 1 : said.reduce((sum, bytes) => sum + bytes, 0) / said.length;
  const weights = capacities.map((bytes) => (bytes > 0 ? bytes : average) / average);
  const least = Math.max(...weights) * weightShareMin;
  return weights.map((weight) => Math.max(weight, least));
}
