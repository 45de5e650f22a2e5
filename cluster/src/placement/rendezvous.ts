/**
 * How much a node wants a shard: the highest scores have it. When a node joins or leaves, only what it has or gets
 * changes. Weighted rendezvous hashing: D. Thaler, C. Ravishankar, A Name-Based Mapping Scheme for Rendezvous, 1996, with the
 * weights of C. Schindelhauer, G. Schomaker, Weighted Distributed Hash Tables, SPAA 2005 (logarithmic method).
 */
export function scoreOf(node: number, shard: number, weight: number): number {
  // In (0, 1), so that its logarithm is a negative number.
  const draw = (mixed(Math.imul(node, 0x9e3779b1) ^ mixed(shard + 1)) + 0.5) / 2 ** 32;
  return weight / -Math.log(draw);
}

/** The finaliser of MurmurHash3 (A. Appleby, public domain): each bit of the value changes half of the result's. */
function mixed(value: number): number {
  let hash = value | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
