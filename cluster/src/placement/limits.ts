/** Znodes that hold the assignments: a change of one shard writes one of them, and each stays small. */
export const bucketsMax = 256;

/** Bytes of one such znode: 64 KiB hold some 5,000 shards, so that a cluster of the most shards is far below. */
export const bucketBytesMax = 64 * 1024;

/** Copies of a shard that an assignment may name: the most that a setting allows, and a learner or two. */
export const copiesMax = 8;

/**
 * How far a node's load may be from its fair share before something moves: what a join brings a node that others were 5 % above
 * is not moved again at the next one.
 */
export const slack = 0.05;

/** The least weight beside the greatest, so that the share of a small node is a number and not noise. */
export const weightShareMin = 1 / 1024;

/** What a join or a leave may move above its share, to even out what zones and capacities keep it from taking. */
export const moveSlack = 0.1;
