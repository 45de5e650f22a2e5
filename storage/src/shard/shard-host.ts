import type { EntryMeaning, HeaderFields } from "./shard.ts";
import type { ShardStatus } from "./status.ts";

/** An entry that has its place in a shard's log. */
export interface Appended {
  readonly position: number;
  /** Rejects with `ingest.unavailable` when its outcome is not known to this node any more. */
  readonly committed: Promise<void>;
}

/** How entries get into a shard's log, and are committed by all that have to have them. */
export interface ShardHost {
  /** Appends in this very step; undefined: it has to wait. Throws `ingest.unavailable`, with a `reason`, and `owner` if that is known. */
  append(fields: HeaderFields, body: Uint8Array, meaning: EntryMeaning): Appended | undefined;
  /** Waits until it may be worth to ask again, as far as that is not for the log to say, at most for a time. */
  room(timeoutMs: number): Promise<void>;
  /** Who must have an entry before it counts, and the owner's view of the others. */
  readonly replicas: Pick<ShardStatus, "members" | "others" | "isChanging">;
  /** Calls in the step in which all that was acknowledged is in memory or segments here, or in which it is known not to be. */
  cut(answer: (answer: { readonly kind: "cut-opened" | "cut-refused" }) => void): void;
}
