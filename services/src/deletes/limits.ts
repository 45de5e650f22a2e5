/** Deletes of one tenant that are under way: each is looked at for each part of each query. */
export const deletesMax = 1_000;

/** Deletes of all tenants that are under way: shards keep them in memory and in their checkpoints. */
export const deletesTotalMax = 10_000;

/** Deletes that are done and still told of, of all tenants: each is a znode. */
export const ledgerMax = 500;

/** How often it is looked whether deletes are done. */
export const lookEveryMs = 500;

/** How long another node has to say how far deletes have come there, in milliseconds. */
export const statusCallMs = 5000;

/** How much later than its owner a node may come to know that a file is needed no more, in milliseconds: it hears of it in turn. */
export const copiesLateMs = 60_000;
