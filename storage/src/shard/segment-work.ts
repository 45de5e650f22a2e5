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
}
