/** What a shard's znode said, read after a barrier write in the present session. */
export interface ShardView {
  readonly shard: number;
  /** The highest epoch that anyone acquired; 0 for a shard that had no owner yet. */
  readonly epoch: number;
  /** Version of the znode; `acquire` is conditional on it. */
  readonly version: number;
  /**
   * Who owns it, as `nodeId/diskId/incarnation`: undefined for nobody or for an earlier incarnation of
   * this very node and disk, whose claim `acquire` may replace.
   */
  readonly foreignOwner: string | undefined;
  /** Whether this replica (`nodeId/diskId`) is of the in-sync set, and so may acquire. */
  readonly isInSync: boolean;
}

/** `refused`: the znode moved on since the view, or names another owner; a new view is needed. */
export type AcquireOutcome =
  | { readonly kind: "acquired"; readonly epoch: number }
  | { readonly kind: "refused"; readonly reason: string };

/**
 * Who owns which shard: znodes, filled in by the cluster. The order of taking over is the store's:
 * `barrier` → promise an epoch durably → `acquire` → read the own log end and `Manifest.load` →
 * epoch-start entry → serve. The epoch fences; the ephemeral owner znode only suggests.
 */
export interface Ownership {
  /** `nodeId/diskId/incarnation` of this process. */
  readonly self: string;
  /**
   * Makes a write that is ordered behind all earlier ones, then reads the shards. Creates a shard's znode
   * where it is missing, with this replica as its set. Waits without the coordinator; rejects when closed.
   */
  barrier(shards: readonly number[]): Promise<readonly ShardView[]>;
  /**
   * Acquires with the epoch that was promised, on condition that the znode still has the view's
   * version. After a lost connection it reads back: an own claim is known by `self` and `epoch`.
   */
  acquire(view: ShardView, epoch: number): Promise<AcquireOutcome>;
  /**
   * Called when owner znodes are gone or may be (the session expired), or when another acquired. The store
   * then goes through a takeover again. Returns how to stop listening.
   */
  onLost(listener: (shards: readonly number[]) => void): () => void;
}
