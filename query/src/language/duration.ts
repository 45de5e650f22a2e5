import type { Duration } from "./ast.ts";

const unitNanos: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
  d: 86_400_000_000_000n,
  w: 604_800_000_000_000n,
  y: 31_536_000_000_000_000n,
};

const part = /(\d+)(?:\.(\d+))?(ns|us|µs|μs|ms|s|m|h|d|w|y)/y;

/** A thousand years: moments stay within what dates can say. */
const nanosMax = 1000n * 31_536_000_000_000_000n;

/**
 * Nanoseconds of a text such as `5m`, `1h30m`, `2.5d15m42.345s`, `-10s`; undefined for any other
 * text, and beyond a thousand years. What is finer than a nanosecond is cut off.
 */
export function parseDurationNanos(text: string): bigint | undefined {
  const start = text.startsWith("-") || text.startsWith("+") ? 1 : 0;
  if (start === text.length || text.length > 256) return undefined;
  let nanos = 0n;
  let at = start;
  while (at < text.length) {
    part.lastIndex = at;
    const match = part.exec(text);
    if (match === null) return undefined;
    const [whole, digits, fraction = "", unit] = match;
    const nanosOfUnit = unitNanos[unit as string] as bigint;
    nanos += BigInt(digits as string) * nanosOfUnit;
    if (fraction !== "") {
      nanos += (BigInt(fraction) * nanosOfUnit) / 10n ** BigInt(fraction.length);
    }
    at += whole.length;
  }
  if (nanos > nanosMax) return undefined;
  return text.startsWith("-") ? -nanos : nanos;
}

export function parseDuration(text: string): Duration | undefined {
  const nanos = parseDurationNanos(text);
  return nanos === undefined ? undefined : durationOf(nanos);
}

export function durationOf(nanos: bigint): Duration {
  const ns = ((nanos % 1_000_000n) + 1_000_000n) % 1_000_000n;
  return { ms: Number((nanos - ns) / 1_000_000n), ns: Number(ns) };
}

export function nanosOf({ ms, ns }: Duration): bigint {
  return BigInt(ms) * 1_000_000n + BigInt(ns);
}

const printedUnits: readonly (readonly [string, bigint])[] = [
  ["d", 86_400_000_000_000n],
  ["h", 3_600_000_000_000n],
  ["m", 60_000_000_000n],
  ["s", 1_000_000_000n],
  ["ms", 1_000_000n],
  ["us", 1_000n],
  ["ns", 1n],
];

/** The shortest sum of whole units, `1h30m`; `0s`; a minus in front of all. */
export function printDuration(duration: Duration): string {
  let nanos = nanosOf(duration);
  const sign = nanos < 0n ? "-" : "";
  if (nanos < 0n) nanos = -nanos;
  if (nanos === 0n) return "0s";
  let text = sign;
  for (const [unit, size] of printedUnits) {
    if (nanos >= size) text += `${nanos / size}${unit}`;
    nanos %= size;
  }
  return text;
}
