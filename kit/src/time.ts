/**
 * A moment as two numbers, so that no bigint is made a record: whole milliseconds since the epoch
 * (may be negative) and the nanoseconds within that millisecond, 0 to 999,999.
 */
export interface Moment {
  readonly ms: number;
  readonly ns: number;
}

/** Negative, zero or positive as `a` is before, at or after `b`. */
export function momentCompare(a: Moment, b: Moment): number {
  return a.ms - b.ms || a.ns - b.ns;
}

/** RFC 3339 in UTC, with as many digits as are not zero: none, 3, 6 or 9. */
export function momentPrint({ ms, ns }: Moment): string {
  const iso = new Date(ms).toISOString();
  if (ns !== 0) {
    const digits = String(ns).padStart(6, "0");
    return `${iso.slice(0, -1)}${ns % 1000 === 0 ? digits.slice(0, 3) : digits}Z`;
  }
  return ms % 1000 === 0 ? `${iso.slice(0, -5)}Z` : iso;
}
