import type { SegmentEntry } from "../../../storage/src/shard/manifest.ts";

/** What is sealed and not mirrored yet. */
export interface MirrorLag {
  readonly records: number;
  /** Of segment files. */
  readonly bytes: number;
  /** When the oldest of it was received, milliseconds since the epoch; undefined: there is nothing. */
  readonly sinceMs: number | undefined;
}

export const noLag: MirrorLag = { records: 0, bytes: 0, sinceMs: undefined };

/**
 * How much of a segment lies behind a position; estimated where only its later part does, as if its records were
 * spread evenly over its entries. Streams of our own do not count: they are not mirrored.
 */
export function lagOf(entry: SegmentEntry, through: number): MirrorLag {
  const { positionFrom, positionThrough, rows, bytes } = entry;
  if (positionThrough <= through) return noLag;
  const partitions = entry.partitions.filter(({ internal }) => !internal);
  const wanted = partitions.reduce((sum, partition) => sum + partition.rows, 0);
  if (wanted === 0) return noLag;
  const behind = positionThrough - Math.max(through, positionFrom - 1);
  const share = behind / (positionThrough - positionFrom + 1);
  return {
    records: Math.ceil(wanted * share),
    bytes: Math.ceil(((bytes * wanted) / Math.max(1, rows)) * share),
    sinceMs: Math.min(...partitions.map(({ receiptMsMax }) => receiptMsMax)),
  };
}

/** Both together. */
export function addLag(a: MirrorLag, b: MirrorLag): MirrorLag {
  const since = [a.sinceMs, b.sinceMs].filter((ms) => ms !== undefined);
  return {
    records: a.records + b.records,
    bytes: a.bytes + b.bytes,
    sinceMs: since.length === 0 ? undefined : Math.min(...since),
  };
}
