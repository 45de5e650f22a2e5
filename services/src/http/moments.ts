import { parseDurationMs } from "../../../config/src/quantity.ts";
import { TimeReader } from "../../../ingest/src/protocol/times.ts";
import { ServiceError } from "../../../kit/src/errors.ts";
import { type Moment, momentCompare } from "../../../kit/src/time.ts";
import type { TimeRange } from "../../../query/src/source.ts";

/**
 * A moment as users write it: RFC 3339, an epoch number (s, ms, µs or ns by its size), `now`, or relative
 * to it as `1h` (ago) and `now-15m`. Throws `request.malformed` naming the parameter.
 */
export function parseMoment(text: string, nowMs: number, parameter: string): Moment {
  const relative = /^now *(?:([-+]) *(.+))?$/.exec(text.trim());
  if (relative !== null) {
    const [, sign, amount] = relative;
    if (amount === undefined) return { ms: nowMs, ns: 0 };
    const ms = parseDurationMs(amount);
    if (ms !== undefined) return { ms: nowMs + (sign === "-" ? -ms : ms), ns: 0 };
  } else {
    const ago = /[a-z]$/.test(text) ? parseDurationMs(text) : undefined;
    if (ago !== undefined) return { ms: nowMs - ago, ns: 0 };
    const moment = absolute(text);
    if (moment !== undefined) return moment;
  }
  throw new ServiceError(
    "request.malformed",
    `${parameter} is no time; write 1h, now-15m, 2026-11-21 or 2026-11-21T08:00:00Z`,
    {
      parameter,
      value: text,
    },
  );
}

function absolute(text: string): Moment | undefined {
  const day = /^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : text;
  const bytes = Buffer.from(day);
  const reader = new TimeReader();
  if (reader.read(bytes, 0, bytes.length) !== undefined) return undefined;
  return { ms: reader.ms, ns: reader.ns };
}

const hourMs = 3_600_000;

/** The span of a question: an hour up to now where it says nothing. */
export function rangeOf(
  { start, end }: { readonly start?: string | undefined; readonly end?: string | undefined },
  nowMs: number,
): TimeRange {
  // A record that arrives in this very millisecond is asked for, too.
  const to = end === undefined ? { ms: nowMs + 1, ns: 0 } : parseMoment(end, nowMs, "end");
  const from =
    start === undefined ? { ms: nowMs - hourMs, ns: 0 } : parseMoment(start, nowMs, "start");
  if (momentCompare(from, to) > 0) {
    throw new ServiceError("request.malformed", "start is after end", { parameter: "start" });
  }
  return { from, to };
}

/** A length of time as `5m`, in milliseconds; undefined stays so. */
export function parseStep(text: string | undefined, parameter: string): number | undefined {
  if (text === undefined) return undefined;
  const ms = parseDurationMs(text);
  if (ms !== undefined && ms > 0) return ms;
  throw new ServiceError("request.malformed", `${parameter} is no length of time, as 5m`, {
    parameter,
    value: text,
  });
}
