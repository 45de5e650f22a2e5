import type { Moment } from "../../../kit/src/time.ts";

const dayMs = 86_400_000;

/** Bytes that a printed time takes at most: a year of six digits and a sign, nanoseconds. */
export const timeTextBytesMax = 40;

/** Prints times as `momentPrint` does, into bytes; it keeps the day's text, since neighbours share it. */
export class TimePrinter {
  #day = Number.NaN;
  #dayText: Uint8Array = new Uint8Array(0);

  /** Writes at `at`, which must have `timeTextBytesMax` of room; gives where the text ends. */
  write(out: Uint8Array, at: number, ms: number, ns: number): number {
    const day = Math.floor(ms / dayMs);
    if (day !== this.#day) {
      this.#day = day;
      const iso = new Date(day * dayMs).toISOString();
      this.#dayText = Buffer.from(iso.slice(0, iso.indexOf("T") + 1));
    }
    for (let i = 0; i < this.#dayText.length; i++) out[at++] = this.#dayText[i] as number;
    const inDay = ms - day * dayMs;
    const seconds = Math.floor(inDay / 1000);
    at = twoDigits(out, at, Math.floor(seconds / 3600));
    out[at++] = 0x3a;
    at = twoDigits(out, at, Math.floor(seconds / 60) % 60);
    out[at++] = 0x3a;
    at = twoDigits(out, at, seconds % 60);
    const milli = inDay - seconds * 1000;
    if (milli !== 0 || ns !== 0) {
      out[at++] = 0x2e;
      at = threeDigits(out, at, milli);
      if (ns !== 0) {
        at = threeDigits(out, at, Math.floor(ns / 1000));
        if (ns % 1000 !== 0) at = threeDigits(out, at, ns % 1000);
      }
    }
    out[at++] = 0x5a;
    return at;
  }
}

function twoDigits(out: Uint8Array, at: number, value: number): number {
  out[at] = 0x30 + Math.floor(value / 10);
  out[at + 1] = 0x30 + (value % 10);
  return at + 2;
}

function threeDigits(out: Uint8Array, at: number, value: number): number {
  out[at] = 0x30 + Math.floor(value / 100);
  return twoDigits(out, at + 1, value % 100);
}

const timeText = /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/;

/** The moment that an RFC 3339 text says, undefined for any other text. */
export function parseTime(text: string): Moment | undefined {
  const match = timeText.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second, fraction = "", zone] = match;
  const base = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}${zone}`);
  if (Number.isNaN(base)) return undefined;
  const nanos = Number(fraction.padEnd(9, "0"));
  return { ms: base + Math.floor(nanos / 1e6), ns: nanos % 1e6 };
}
