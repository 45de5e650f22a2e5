import { partitionsMax } from "./limits.ts";
import type { SegmentEntry } from "./manifest.ts";
import { partitionsOf } from "./partitions.ts";

export interface MergeLimits {
  /** Segments of one tier that are merged into one. */
  readonly mergeWidth: number;
  readonly mergeBytesMax: number;
  /** Records received further apart stay in separate files, so that retention can drop them apart. */
  readonly receiptSpanMsMax: number;
}

/** A tier is a factor of this in size. */
const tierFactor = 4;

/** Segments up to this size are all of the lowest tier. */
const tierBytesMin = 256 * 1024;

/** At most so many at once, however many small ones have gathered. */
const mergeWidthMax = 16;

/**
 * Which segments of a shard to merge into one: the oldest of the lowest tier of sizes that has enough.
 * Undefined: none. Each record is so rewritten a few times in its life, by the logarithm of the size.
 */
export function chooseMerge(
  segments: readonly SegmentEntry[],
  limits: MergeLimits,
): readonly SegmentEntry[] | undefined {
  const tiers = new Map<string, SegmentEntry[]>();
  for (const segment of segments) {
    const name = `${tierOf(segment.bytes)} ${classOf(segment)}`;
    const tier = tiers.get(name) ?? [];
    tiers.set(name, tier);
    tier.push(segment);
  }
  const ordered = [...tiers.values()].sort((a, b) => a[0]!.bytes - b[0]!.bytes);
  for (const tier of ordered) {
    tier.sort((a, b) => a.positionFrom - b.positionFrom);
    for (let first = 0; first + limits.mergeWidth <= tier.length; first++) {
      const run = runFrom(tier.slice(first, first + mergeWidthMax), limits);
      if (run.length >= limits.mergeWidth) return run;
    }
  }
  return undefined;
}

/** The longest beginning that makes one good segment. */
function runFrom(tier: readonly SegmentEntry[], limits: MergeLimits): SegmentEntry[] {
  const run: SegmentEntry[] = [];
  let bytes = 0;
  const firstMs = receiptOf(tier[0]!);
  for (const segment of tier) {
    bytes += segment.bytes;
    const isClose = Math.abs(receiptOf(segment) - firstMs) <= limits.receiptSpanMsMax;
    const isSmall = bytes <= limits.mergeBytesMax && fewPartitions([...run, segment]);
    if (!isClose || !isSmall) break;
    run.push(segment);
  }
  return run;
}

function fewPartitions(segments: readonly SegmentEntry[]): boolean {
  return partitionsOf(segments.flatMap(({ partitions }) => partitions)).length <= partitionsMax;
}

function tierOf(bytes: number): number {
  const ratio = Math.max(1, bytes / tierBytesMin);
  return Math.floor(Math.log(ratio) / Math.log(tierFactor));
}

/** The class that most of a segment is of: a class with its own files keeps them. */
function classOf({ partitions }: SegmentEntry): string {
  const most = partitions.reduce((a, b) => (b.rows > a.rows ? b : a), partitions[0]!);
  return most.class;
}

function receiptOf({ partitions }: SegmentEntry): number {
  return partitions.reduce((latest, { receiptMsMax }) => Math.max(latest, receiptMsMax), 0);
}
