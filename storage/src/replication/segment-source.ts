/** Reads the sealed files that other replicas hold, filled in over whatever joins the nodes. */
export interface SegmentSource {
  /**
   * Bytes of a file from `offset` on, at most `length` (of at most `segmentReadBytesMax`), and fewer only at its end; undefined when the
   * replica has no such file. `file` is a name as the manifest has it, of a segment or a checkpoint. Rejects when the replica
   * cannot be asked now, and when `signal` aborts.
   */
  read(
    replica: string,
    part: SegmentFilePart,
    signal: AbortSignal,
  ): Promise<Uint8Array | undefined>;
}

export interface SegmentFilePart {
  readonly shard: number;
  readonly file: string;
  readonly offset: number;
  readonly length: number;
}
