import { momentCompare } from "../../../kit/src/time.ts";
import { partitionsMax } from "./limits.ts";
import type { SegmentPartition } from "./manifest.ts";
import type { MemoryBatch } from "./memtable.ts";

/** Batches that go into one segment file. */
export interface SealGroup {
  readonly batches: readonly MemoryBatch[];
  readonly partitions: readonly SegmentPartition[];
  readonly rows: number;
}

/**
 * Splits batches into segment files, one for each retention class, so that retention drops whole files and what is
 * kept for long keeps nothing else. No file has more partitions than a manifest entry holds. Keeps the order of the log.
 */
export function sealGroups(batches: readonly MemoryBatch[]): SealGroup[] {
  const files = Map.groupBy(batches, (batch) => `${batch.internal} ${batch.class}`);
  return [...files.values()].flatMap(splitByPartitions);
}

function splitByPartitions(batches: readonly MemoryBatch[]): SealGroup[] {
  const fileOf = new Map<string, number>();
  const groups: MemoryBatch[][] = [];
  for (const batch of batches) {
    const name = partitionName(batch);
    const file = fileOf.get(name) ?? Math.floor(fileOf.size / partitionsMax);
    fileOf.set(name, file);
    groups[file] ??= [];
    groups[file].push(batch);
  }
  return groups.map((group) => {
    const partitions = partitionsOf(group.map(partitionOf));
    return { batches: group, partitions, rows: group.reduce((sum, { rows }) => sum + rows, 0) };
  });
}

function partitionOf(batch: MemoryBatch): SegmentPartition {
  const { tenant, internal, rows, timeMin, timeMax, receiptMs } = batch;
  return { tenant, class: batch.class, internal, rows, timeMin, timeMax, receiptMsMax: receiptMs };
}

/** Adds up partitions that have tenant, class and kind of stream in common. */
export function partitionsOf(parts: readonly SegmentPartition[]): SegmentPartition[] {
  const sums = new Map<string, SegmentPartition>();
  for (const part of parts) {
    const name = partitionName(part);
    const sum = sums.get(name);
    sums.set(name, sum === undefined ? part : added(sum, part));
  }
  return [...sums.values()];
}

function added(a: SegmentPartition, b: SegmentPartition): SegmentPartition {
  return {
    ...a,
    rows: a.rows + b.rows,
    timeMin: momentCompare(a.timeMin, b.timeMin) <= 0 ? a.timeMin : b.timeMin,
    timeMax: momentCompare(a.timeMax, b.timeMax) >= 0 ? a.timeMax : b.timeMax,
    receiptMsMax: Math.max(a.receiptMsMax, b.receiptMsMax),
  };
}

function partitionName(of: Pick<SegmentPartition, "tenant" | "class" | "internal">): string {
  return JSON.stringify([of.tenant, of.class, of.internal]);
}
