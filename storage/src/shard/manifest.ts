import type { Moment } from "../../../kit/src/time.ts";
import type { LogPoint } from "../log/entry.ts";

/** What one tenant and retention class has in a segment file; queries and retention prune by it. */
export interface SegmentPartition {
  readonly tenant: string;
  /** Retention class, such as `default`. */
  readonly class: string;
  /** Streams that Logkeep itself writes. */
  readonly internal: boolean;
  readonly rows: number;
  /** Inclusive bounds of the records' times. */
  readonly timeMin: Moment;
  readonly timeMax: Moment;
  /** The latest receipt of any of the records: age counts from `_time`, bounded around receipt. */
  readonly receiptMsMax: number;
}

/** A sealed segment file as the manifest knows it. Plain JSON, at most 256 KiB printed. */
export interface SegmentEntry {
  /** Unique for all time; an own commit with unknown outcome is recognised by it. */
  readonly uuid: string;
  /** Name of the file, `<epoch>-<uuid>`, in the directory of its shard. */
  readonly file: string;
  /** The epoch of the owner that committed it. */
  readonly epoch: number;
  /** Entries of the shard's log that it covers, both inclusive. */
  readonly positionFrom: number;
  readonly positionThrough: number;
  readonly rows: number;
  readonly bytes: number;
  /** 0 for a seal, 1 + the highest of its inputs for a merge. */
  readonly level: number;
  /** Uuids of the segments that it replaced. */
  readonly replaces: readonly string[];
  /** No record of it matches a tombstone of the shard at or below this position; left out: nothing is known. */
  readonly deletedThrough?: number | undefined;
  readonly partitions: readonly SegmentPartition[];
}

/** The sealed state of a shard. */
export interface ShardManifest {
  /** Raised by one with every change. */
  readonly generation: number;
  readonly sealedThrough: LogPoint;
  /** Name of the file with dedupe keys and source ends as of `sealedThrough`; none before the first seal. */
  readonly checkpoint: string | undefined;
  readonly segments: readonly SegmentEntry[];
}

/**
 * `committed`: it is in the manifest, possibly found so by reading back. `deposed`: the shard's epoch or
 * owner is another, nothing was changed, and nothing of this incarnation will be.
 */
export type ManifestOutcome =
  | { readonly kind: "committed"; readonly generation: number }
  | { readonly kind: "deposed"; readonly epoch: number };

export interface SealCommit {
  readonly shard: number;
  /** The epoch this owner acquired; the commit is checked against it. */
  readonly epoch: number;
  /** At or below the committed position. */
  readonly sealedThrough: LogPoint;
  readonly checkpoint: string;
  /** May be empty, when what is sealed holds no records. */
  readonly segments: readonly SegmentEntry[];
}

export interface MergeCommit {
  readonly shard: number;
  readonly epoch: number;
  readonly inputs: readonly string[];
  readonly output: SegmentEntry;
}

export interface DropCommit {
  readonly shard: number;
  readonly epoch: number;
  readonly uuids: readonly string[];
}

/**
 * Where a shard's sealed segments are listed: znodes, filled in by the cluster. Every change is one
 * atomic conditional write that checks that the shard still has the given epoch and owner.
 *
 * Changes of one shard are asked one after the other. A call resolves only with a settled outcome:
 * after a lost connection or a conflict the implementation reads back, knows its own commit by the
 * uuids (a drop by their absence, a seal without segments by `sealedThrough`), and tries again while
 * it is still the owner; without the coordinator it waits. It rejects only when the manifest is
 * closed, and then the outcome is unknown: nothing may be deleted on account of it.
 */
export interface Manifest {
  /** Reads through the session that acquired the shard, after `Ownership.acquire`. */
  load(shard: number): Promise<ShardManifest>;
  commitSeal(commit: SealCommit): Promise<ManifestOutcome>;
  /** Deletes the inputs and creates the output, in one step. */
  commitMerge(commit: MergeCommit): Promise<ManifestOutcome>;
  commitDrop(commit: DropCommit): Promise<ManifestOutcome>;
}
