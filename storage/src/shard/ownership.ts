/**
 * Who owns which shard: znodes, filled in by the cluster. The epoch fences; the ephemeral owner znode only suggests.
 */
export interface Ownership {
  /** `nodeId/diskId/incarnation` of this process. */
  readonly self: string;
  /**
   * Called when owner znodes are gone or may be (the session expired), or when another acquired. The store
   * then goes through a takeover again. Returns how to stop listening.
   */
  onLost(listener: (shards: readonly number[]) => void): () => void;
}
