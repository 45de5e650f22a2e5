import type { TimeBound } from "./ast.ts";
import { durationOf, nanosOf, parseDurationNanos } from "./duration.ts";

/** What one text says of time: a span, `start` in it and `end` not; a moment spans one nanosecond. */
export interface TimeSpan {
  readonly start: TimeBound;
  readonly end: TimeBound;
}

const dateText =
  /^(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[T ](\d\d)(?::(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?)?)?)?(Z|[+-]\d\d:?\d\d)?$/i;

/** The span of `now`, `now-5m`, `2026`, `2026-11-20`, `2026-11-20T10:30Z`, RFC 3339, or epoch numbers. */
export function parseTimePoint(text: string): TimeSpan | undefined {
  const relative = /^now([+-].+)?$/i.exec(text);
  if (relative !== null) {
    const nanos = parseDurationNanos(relative[1] ?? "0s");
    return nanos === undefined ? undefined : agoPoint(-nanos);
  }
  const date = dateText.exec(text);
  if (date !== null) return dateSpan(date);
  return /^-?\d{5,}(?:\.\d{1,9})?$/.test(text) ? epochPoint(text) : undefined;
}

/** The moment that lies so many nanoseconds before now. */
export function agoPoint(nanos: bigint): TimeSpan {
  return { start: agoBound(nanos), end: agoBound(nanos - 1n) };
}

export function agoBound(nanos: bigint): TimeBound {
  return { kind: "ago", ...durationOf(nanos) };
}

/** The bound, so many nanoseconds earlier. */
export function boundEarlier(bound: TimeBound, nanos: bigint): TimeBound {
  const at = nanosOf(bound);
  return { kind: bound.kind, ...durationOf(bound.kind === "ago" ? at + nanos : at - nanos) };
}

function dateSpan(match: RegExpExecArray): TimeSpan | undefined {
  const [, year = "", month, day, hour, minute, second, fraction, zone = "Z"] = match;
  const iso =
    `${year}-${month ?? "01"}-${day ?? "01"}T` +
    `${hour ?? "00"}:${minute ?? "00"}:${second ?? "00"}`;
  const local = Date.parse(`${iso}Z`);
  // `Date` accepts February 30th and rolls it over; a time that prints otherwise is none.
  if (Number.isNaN(local) || new Date(local).toISOString().slice(0, 19) !== iso) return undefined;
  const zoneMs = zoneOffsetMs(zone);
  if (zoneMs === undefined) return undefined;
  if (second !== undefined) {
    const nanos = BigInt((fraction ?? "").padEnd(9, "0"));
    const start = BigInt(local - zoneMs) * 1_000_000n + nanos;
    const length = fraction === undefined ? 1_000_000_000n : 1n;
    return { start: momentBound(start), end: momentBound(start + length) };
  }
  const end = endOf(local, { month, day, hour, minute });
  return {
    start: { kind: "moment", ms: local - zoneMs, ns: 0 },
    end: { kind: "moment", ms: end - zoneMs, ns: 0 },
  };
}

type DateParts = Readonly<Record<"month" | "day" | "hour" | "minute", string | undefined>>;

function endOf(startMs: number, { month, day, hour, minute }: DateParts): number {
  const start = new Date(startMs);
  if (month === undefined) return Date.UTC(start.getUTCFullYear() + 1, 0);
  if (day === undefined) return Date.UTC(start.getUTCFullYear(), start.getUTCMonth() + 1);
  if (hour === undefined) return startMs + 86_400_000;
  return startMs + (minute === undefined ? 3_600_000 : 60_000);
}

function zoneOffsetMs(zone: string): number | undefined {
  if (zone === "Z" || zone === "z") return 0;
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(-2));
  if (hours > 23 || minutes > 59) return undefined;
  const ms = (hours * 60 + minutes) * 60_000;
  return zone.startsWith("-") ? -ms : ms;
}

/** Seconds below 1e11, milliseconds below 1e14, microseconds below 1e17, else nanoseconds. */
function epochPoint(text: string): TimeSpan | undefined {
  const negative = text.startsWith("-");
  const [whole = "", fraction = ""] = text.replace("-", "").split(".");
  const digits = whole.replace(/^0+/, "").length;
  if (digits > 19) return undefined;
  const decimals = digits <= 11 ? 9 : digits <= 14 ? 6 : digits <= 17 ? 3 : 0;
  const magnitude = BigInt(whole + fraction.slice(0, decimals).padEnd(decimals, "0"));
  const nanos = negative ? -magnitude : magnitude;
  return { start: momentBound(nanos), end: momentBound(nanos + 1n) };
}

function momentBound(nanos: bigint): TimeBound {
  return { kind: "moment", ...durationOf(nanos) };
}
