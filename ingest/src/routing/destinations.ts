/** Things for one node, by their places in what was given. */
export interface Destination {
  /** Undefined: nobody is known to own their shards. */
  readonly node: number | undefined;
  readonly places: readonly number[];
}

export interface Routed {
  readonly shard: number;
  /** Bytes that go with it. */
  readonly length: number;
}

/**
 * Which of the things at `places` go to which node, in calls of at most `bytesMax` each; one larger thing goes alone. Those of one shard
 * stay in their order.
 */
export function destinationsOf(
  things: readonly Routed[],
  places: readonly number[],
  nodeOf: (shard: number) => number | undefined,
  bytesMax: number,
): Destination[] {
  const open = new Map<number | undefined, { readonly places: number[]; bytes: number }>();
  const all: Destination[] = [];
  for (const place of places) {
    const { shard, length } = things[place] as Routed;
    const node = nodeOf(shard);
    let group = open.get(node);
    if (group === undefined || group.bytes + length > bytesMax) {
      group = { places: [], bytes: 0 };
      open.set(node, group);
      all.push({ node, places: group.places });
    }
    group.places.push(place);
    group.bytes += length;
  }
  return all;
}
