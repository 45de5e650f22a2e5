import type { Store } from "../../../storage/src/shard/store.ts";

/** Where records, keys and deletes are written: the store of a node alone, or a router to the owners of the shards. */
export type Writes = Pick<
  Store,
  "append" | "commitIdempotency" | "addTombstone" | "lastStored" | "room" | "pressure"
>;
