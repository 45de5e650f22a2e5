import { partitionsMax } from "./limits.ts";
import type { SegmentEntry } from "./manifest.ts";
import { partitionsOf } from "./partitions.ts";

export interface MergeLimits {
  /** A merge takes at least so many segments of like size. */
  readonly mergeWidth: number;
  readonly mergeBytesMax: number;
  /** Records received further apart stay in separate files, so that retention can drop them apart. */
  readonly receiptSpanMsMax: number;
}

/** Segments up to this size are all alike. */
const alikeBytes = 256 * 1024;

/** At most so many at once, however many have gathered. */
const mergeWidthMax = 32;

/** Segments are of like size when together they are this share of as many of the largest. */
const alikeShare = 2 / 3;

/**
 * Which segments of a shard to merge into one, oldest first: of all runs of like size, the one that adds most to
 * its largest, since a record is rewritten so much less often. Undefined: none is worth it.
 */
export function chooseMerge(
  segments: readonly SegmentEntry[],
  limits: MergeLimits,
): readonly SegmentEntry[] | undefined {
  const classes = new Map<string, SegmentEntry[]>();
  for (const segment of segments) {
    const name = classOf(segment);
    const same = classes.get(name) ?? [];
    classes.set(name, same);
    same.push(segment);
  }
  let best: Run | undefined;
  for (const same of classes.values()) {
    same.sort((a, b) => a.bytes - b.bytes || a.positionFrom - b.positionFrom);
    for (let first = 0; first + limits.mergeWidth <= same.length; first++) {
      const run = bestRun(same.slice(first, first + mergeWidthMax), limits);
      if (run !== undefined && run.gain > (best?.gain ?? 0)) best = run;
    }
  }
  return best?.segments.toSorted((a, b) => a.positionFrom - b.positionFrom);
}

interface Run {
  readonly segments: readonly SegmentEntry[];
  /** Bytes of all over bytes of the largest. */
  readonly gain: number;
}

/** Of the beginnings of a list that ascends in size, the one with the greatest gain. */
function bestRun(ascending: readonly SegmentEntry[], limits: MergeLimits): Run | undefined {
  const { mergeWidth, mergeBytesMax, receiptSpanMsMax } = limits;
  let best: Run | undefined;
  let bytes = 0;
  let weight = 0;
  let [oldest, latest] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const [at, segment] of ascending.entries()) {
    const receiptMs = receiptOf(segment);
    oldest = Math.min(oldest, receiptMs);
    latest = Math.max(latest, receiptMs);
    bytes += segment.bytes;
    if (bytes > mergeBytesMax || latest - oldest > receiptSpanMsMax) break;
    weight += Math.max(segment.bytes, alikeBytes);
    const gain = weight / Math.max(segment.bytes, alikeBytes);
    const count = at + 1;
    if (count < mergeWidth || gain < mergeWidth * alikeShare || gain <= (best?.gain ?? 0)) continue;
    const segments = ascending.slice(0, count);
    if (!fewPartitions(segments)) break;
    best = { segments, gain };
  }
  return best;
}

function fewPartitions(segments: readonly SegmentEntry[]): boolean {
  return partitionsOf(segments.flatMap(({ partitions }) => partitions)).length <= partitionsMax;
}

/** Segments of other classes stay apart, so that each goes when its own time is up. */
function classOf({ partitions }: SegmentEntry): string {
  return JSON.stringify([...new Set(partitions.map((partition) => partition.class))].sort());
}

function receiptOf({ partitions }: SegmentEntry): number {
  return partitions.reduce((latest, { receiptMsMax }) => Math.max(latest, receiptMsMax), 0);
}
