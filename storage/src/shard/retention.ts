import { oldRecordsKeepMs } from "./limits.ts";
import type { SegmentEntry, SegmentPartition } from "./manifest.ts";

export interface RetentionLimits {
  /** How long records of a class are kept, in milliseconds. */
  retentionMs(retentionClass: string): number;
  /** Bytes of all segments beyond which the oldest go. */
  readonly bytesMax: number;
}

/** A segment file that retention may drop. */
export interface Droppable {
  readonly shard: number;
  readonly entry: SegmentEntry;
}

const dayMs = 24 * 60 * 60 * 1000;

/**
 * Which segment files to drop now: those in which every record's time is up, then the oldest until the
 * rest fits `bytesMax`, first of tenants that hold more than their equal share.
 */
export function chooseDrops<T extends Droppable>(
  segments: readonly T[],
  limits: RetentionLimits,
  nowMs: number,
): T[] {
  const expired = segments.filter(({ entry }) => expiryOf(entry, limits) <= nowMs);
  const gone = new Set(expired);
  const kept = segments.filter((segment) => !gone.has(segment));
  const excess = bytesOf(kept) - limits.bytesMax;
  return excess <= 0 ? expired : [...expired, ...chooseByBytes(kept, limits, excess)];
}

/** When the last record of a segment may go, in milliseconds since the epoch. */
export function expiryOf(entry: SegmentEntry, limits: RetentionLimits): number {
  return entry.partitions.reduce((latest, partition) => {
    const retentionMs = limits.retentionMs(partition.class);
    return Math.max(latest, agedFrom(partition, retentionMs) + retentionMs);
  }, 0);
}

/**
 * From when on the age of a partition's latest record counts: its time, bounded around its receipt. A
 * record from far in the future does not stay for ever; one that was old when it came stays for
 * a while, or whoever ships an archive would never see it.
 */
function agedFrom({ timeMax, receiptMsMax }: SegmentPartition, retentionMs: number): number {
  const latest = receiptMsMax + dayMs;
  const earliest = receiptMsMax - retentionMs + Math.min(oldRecordsKeepMs, retentionMs);
  return Math.min(latest, Math.max(earliest, timeMax.ms));
}

function chooseByBytes<T extends Droppable>(
  segments: readonly T[],
  limits: RetentionLimits,
  excess: number,
): T[] {
  const held = new Map<string, number>();
  for (const { entry } of segments) {
    const tenant = tenantOf(entry);
    held.set(tenant, (held.get(tenant) ?? 0) + entry.bytes);
  }
  const share = limits.bytesMax / Math.max(1, held.size);
  const oldestFirst = [...segments].sort((a, b) => {
    return expiryOf(a.entry, limits) - expiryOf(b.entry, limits);
  });
  const dropped = new Set<T>();
  let left = excess;
  const drop = (segment: T): void => {
    const tenant = tenantOf(segment.entry);
    held.set(tenant, held.get(tenant)! - segment.entry.bytes);
    left -= segment.entry.bytes;
    dropped.add(segment);
  };
  for (const segment of oldestFirst) {
    if (left > 0 && held.get(tenantOf(segment.entry))! > share) drop(segment);
  }
  for (const segment of oldestFirst) {
    if (left > 0 && !dropped.has(segment)) drop(segment);
  }
  return [...dropped];
}

/** The tenant that most of a segment belongs to. */
function tenantOf({ partitions }: SegmentEntry): string {
  return partitions.reduce((a, b) => (b.rows > a.rows ? b : a), partitions[0]!).tenant;
}

function bytesOf(segments: readonly Droppable[]): number {
  return segments.reduce((sum, { entry }) => sum + entry.bytes, 0);
}
