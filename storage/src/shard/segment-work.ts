import type { Scrubbed, ScrubJob } from "../segment/scrub.ts";
import type { SegmentPartition } from "./manifest.ts";
import type { PlacedTombstone } from "./tombstone.ts";

/** A batch in the arena. */
export interface BatchRef {
  readonly offset: number;
  readonly length: number;
  /** Of its entry in the shard's log. */
  readonly position: number;
}

/** What makes one segment file. Plain data: posted to a worker. */
export interface SealJob {
  readonly path: string;
  readonly uuid: string;
  readonly shard: number;
  readonly epoch: number;
  readonly positionFrom: number;
  readonly positionThrough: number;
  /** In the order of the log; they stay where they are until the job is done. */
  readonly batches: readonly BatchRef[];
}

/** What makes one segment file of several. */
export interface MergeJob {
  readonly path: string;
  readonly uuid: string;
  readonly shard: number;
  readonly epoch: number;
  readonly positionFrom: number;
  readonly positionThrough: number;
  readonly level: number;
  readonly inputs: readonly {
    readonly path: string;
    readonly uuid: string;
  }[];
}

/** What leaves out of one segment file what tombstones delete. */
export interface RewriteJob {
  readonly path: string;
  readonly uuid: string;
  readonly epoch: number;
  readonly input: { readonly path: string; readonly uuid: string };
  readonly tombstones: readonly PlacedTombstone[];
}

/** What checks a copy of a segment file of another replica. */
export interface VerifyJob {
  readonly path: string;
  readonly uuid: string;
}

/** What a rewrite came to. */
export interface Rewritten {
  /** Of each tombstone; a record that several match counts once. All 0: no file was written. */
  readonly rowsRemoved: readonly number[];
  /** Undefined when no file was written, since nothing matched or nothing is left. */
  readonly file: (SegmentFile & { readonly partitions: readonly SegmentPartition[] }) | undefined;
}

/** A segment file as it was written. */
export interface SegmentFile {
  readonly bytes: number;
  readonly rows: number;
}

/**
 * The heavy work on segment files: encoded in workers by what `services` puts here. A file is finished
 * when its promise resolves: written, fsynced, read back and every checksum found right. On a failure
 * no promise is made of what lies at the path. Rejects with `storage.full`, `storage.failed`, and for an
 * input of a merge with `storage.damaged`, whose fields `file` and `block` say which.
 */
export interface SegmentWork {
  seal(job: SealJob): Promise<SegmentFile>;
  merge(job: MergeJob): Promise<SegmentFile>;
  rewrite(job: RewriteJob): Promise<Rewritten>;
  /** Reads all of a file; rejects with `storage.damaged` unless it is that segment and every checksum is right. */
  verify(job: VerifyJob): Promise<void>;
  /** Reads a piece of a file, and says what of it is damaged. */
  scrub(job: ScrubJob): Promise<Scrubbed>;
}
