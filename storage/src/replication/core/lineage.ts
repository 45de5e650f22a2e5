import { assert } from "../../../../kit/src/assert.ts";
import { lineageStepsMax } from "./limits.ts";
import type { LineageStep, LogPoint } from "./types.ts";

/**
 * Epoch → first position, ascending in both: enough to find where two logs part, without comparing entries, since
 * an epoch has one writer (Kafka's KIP-101).
 */
export type Lineage = readonly LineageStep[];

/** A log's shape: its lineage, and its last entry. */
export interface LogShape {
  readonly lineage: Lineage;
  readonly end: LogPoint;
}

export const logStart: LogPoint = { epoch: 0, position: 0 };

/**
 * The end of the largest epoch that both logs have: up to there they are equal. `logStart` when they have none in
 * common.
 */
export function commonPoint(a: LogShape, b: LogShape): LogPoint {
  for (let i = a.lineage.length - 1; i >= 0; i--) {
    const { epoch } = a.lineage[i]!;
    const j = b.lineage.findLastIndex((step) => step.epoch === epoch);
    if (j < 0) continue;
    return { epoch, position: Math.min(lastOf(a, i), lastOf(b, j)) };
  }
  return logStart;
}

/** The epoch of the entry at a position; 0 before the first step. */
export function epochAt(lineage: Lineage, position: number): number {
  return lineage.findLast(({ firstPosition }) => firstPosition <= position)?.epoch ?? 0;
}

/** With an entry behind the last one. The same array when its epoch is not new. */
export function lineageWith(lineage: Lineage, epoch: number, position: number): Lineage {
  const last = lineage.at(-1);
  if (last?.epoch === epoch) return lineage;
  assert(last === undefined || last.epoch < epoch, "epochs go up along a log");
  return [...lineage, { epoch, firstPosition: position }].slice(-lineageStepsMax);
}

/** Of a log that ends at a position: an epoch of which no entry is left begins nothing. */
export function lineageThrough(lineage: Lineage, position: number): Lineage {
  if ((lineage.at(-1)?.firstPosition ?? 0) <= position) return lineage;
  return lineage.filter(({ firstPosition }) => firstPosition <= position);
}

/**
 * What is true of a log that was found with a noted lineage and these epochs of its entries. What was noted
 * counts for what lies before them: a note may be older than a truncation, or than the last epochs.
 */
export function lineageRecovered(noted: Lineage, entries: Lineage, base: LogPoint): Lineage {
  const before = lineageThrough(noted, base.position);
  const last = before.at(-1)?.epoch ?? 0;
  const based: Lineage =
    base.position === 0 || last === base.epoch
      ? before
      : [...before, { epoch: base.epoch, firstPosition: base.position }];
  const known = based.at(-1)?.epoch ?? 0;
  return [...based, ...entries.filter(({ epoch }) => epoch > known)].slice(-lineageStepsMax);
}

function lastOf({ lineage, end }: LogShape, index: number): number {
  const next = lineage[index + 1];
  return next === undefined ? end.position : next.firstPosition - 1;
}
