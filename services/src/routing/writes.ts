import type { AppendPart, AppendResult } from "../../../storage/src/shard/append.ts";
import type { IdempotencyResult } from "../../../storage/src/shard/appender.ts";
import type { IdempotencyRecord } from "../../../storage/src/shard/idempotency-table.ts";
import type { Store } from "../../../storage/src/shard/store.ts";

/** Where records, keys and deletes are written: the store of a node alone, or a router to the owners of the shards. */
export interface Writes extends Pick<Store, "addTombstone" | "lastStored" | "room" | "pressure"> {
  /** See `Store.append`. What cannot be stored now may be held, as long as `isWanted` says that somebody waits for it. */
  append(parts: readonly AppendPart[], isWanted?: () => boolean): Promise<AppendResult[]>;
  /** See `Store.commitIdempotency`, and `append`. */
  commitIdempotency(
    record: IdempotencyRecord,
    isWanted?: () => boolean,
  ): Promise<IdempotencyResult>;
}
