const dayMs = 86_400_000;

/** Days before receipt that have blocks of their own; all earlier ones share, or days would be endless. */
const daysBefore = 31;

/**
 * The UTC day, in days since the epoch, that a record's block is of: the day of its time bounded to
 * [receipt − 31 days, receipt + 1 day], so that no one's clock makes more than 33 blocks of a batch.
 */
export function dayBounded(timeMs: number, receiptMs: number): number {
  const earliest = receiptMs - daysBefore * dayMs;
  const latest = receiptMs + dayMs;
  return Math.floor(Math.min(Math.max(timeMs, earliest), latest) / dayMs);
}
