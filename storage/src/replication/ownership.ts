import type { Ownership } from "../shard/ownership.ts";
import type { MultiOp, MultiOutcome, ShardFacts } from "./core/types.ts";

/**
 * A change of `/shards/<id>`, one atomic write on condition of a version of it. Only a member of the set acquires, and only the
 * owner asks for the others.
 */
export type ShardChange = Exclude<MultiOp, { readonly kind: "manifest" }>;

/**
 * What a shard with several members asks of the coordinator beside `Ownership`. Its changes and those of the manifest are asked one
 * after the other, and the manifest checks the version that the last of them came to.
 */
export interface SharedOwnership extends Ownership {
  /**
   * Makes a write that is ordered behind all earlier ones, then reads, in one session. Makes the znodes of shards that have
   * none. Rejects without the coordinator, and when closed.
   */
  read(shards: readonly number[]): Promise<readonly ShardFacts[]>;
  /**
   * `refused` when the coordinator answered that nothing was done; `unknown` when the connection was lost, without reading
   * back: it may have been done, or still be until a `read` in the same session came back.
   */
  change(shard: number, version: number, change: ShardChange): Promise<MultiOutcome>;
  /** Calls when a shard's znodes have changed or may have: a hint to `read`. Returns how to stop. */
  onChanged(listener: (shards: readonly number[]) => void): () => void;
  /**
   * Calls with the live znode of each node that holds a disk, as `nodeId/diskId/incarnation`, now and whenever one comes;
   * with `incarnation` undefined when it goes. Returns how to stop.
   */
  onLive(listener: (replica: string, incarnation: string | undefined) => void): () => void;
}
