import type { AcquireOutcome, Ownership } from "../shard/ownership.ts";

/** What a shard's znodes say at one version of `/shards/<id>`, read after a barrier write of this session. */
export interface ShardFacts {
  readonly shard: number;
  /** Of the znode: every change is conditional on it, and each raises it. */
  readonly version: number;
  /** The highest epoch that anyone acquired; 0 for a shard that had no owner yet. */
  readonly epoch: number;
  /** Who acquired that epoch, as `nodeId/diskId/incarnation`; undefined before the first, and after a hand-over. */
  readonly owner: string | undefined;
  /** Who is named by the ephemeral `owner` znode; undefined while there is none. */
  readonly ownerPresent: string | undefined;
  /** Whether that znode is of this process's present session. */
  readonly isOwnPresence: boolean;
  /** All members, as `nodeId/diskId`; learners too. */
  readonly replicas: readonly string[];
  /** Those of which each has everything that is committed. */
  readonly inSync: readonly string[];
  /** Whom the last owner handed the shard to; the others hold back for `transferMs`. */
  readonly next: string | undefined;
  readonly transferMs: number;
}

/** A change of `/shards/<id>` by its owner, conditional on the version of the facts it was decided by. */
export type ShardChange =
  | {
      readonly kind: "members";
      readonly replicas: readonly string[];
      readonly inSync: readonly string[];
      /**
       * Those who come into `inSync`, with the incarnation that caught up: the change happens only while
       * `/nodes/<node>/live-<incarnation>` of each is there.
       */
      readonly live: readonly { readonly replica: string; readonly incarnation: string }[];
    }
  /** Deletes the owner znode and names the next; the epoch stays. */
  | { readonly kind: "hand-over"; readonly next: string; readonly transferMs: number };

/**
 * `done`: the znode has that version now. `refused`: nothing was changed nor will be by this call; its facts have to be read.
 * `unknown`: it may have happened, or happen yet until the znode was read at a version that settles it: any other than the one it was
 * conditional on, or the same after `read`, which is ordered behind it.
 */
export type ChangeOutcome =
  | { readonly kind: "done"; readonly version: number }
  | { readonly kind: "refused"; readonly reason: string }
  | { readonly kind: "unknown"; readonly reason: string };

/**
 * What a shard with several members asks of the coordinator beside `Ownership`. Its changes and those of the manifest are asked one
 * after the other, and the manifest checks the version that the last of them came to.
 */
export interface SharedOwnership extends Ownership {
  /**
   * Makes a write that is ordered behind all earlier ones, then reads; undefined for shards that have no znodes yet, which `create`
   * makes. Waits without the coordinator; rejects when closed.
   */
  read(shards: readonly number[]): Promise<readonly (ShardFacts | undefined)[]>;
  /** Makes a shard's znodes with these members, all in sync since nothing is stored; no matter if it is there already. */
  create(shard: number, replicas: readonly string[]): Promise<void>;
  /**
   * As `acquire`, on condition of the facts: deletes an owner znode that a former incarnation of this disk has left.
   * After a lost connection it reads back: an own claim is known by `self` and `epoch`.
   */
  claim(facts: ShardFacts, epoch: number): Promise<AcquireOutcome & { readonly version?: number }>;
  /** Only the owner, with the version it knows. Resolves with `unknown` after a lost connection, without reading back. */
  change(shard: number, version: number, change: ShardChange): Promise<ChangeOutcome>;
  /** Called when a shard's znodes have changed or may have: a hint to `read`. Returns how to stop. */
  onChanged(listener: (shards: readonly number[]) => void): () => void;
}
