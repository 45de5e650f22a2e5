import type { Moment } from "../../../kit/src/time.ts";

/** What a time without a year is read by: it lies at most a day after this (ms). */
export interface TimeContext {
  readonly referenceMs: number;
}

/** A time at the start of a text, and how many characters it takes. */
export interface FoundTime {
  readonly time: Moment;
  readonly length: number;
}

const dayMs = 86_400_000;
const months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

const iso =
  /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?(?: ?(Z|[+-]\d\d:?\d\d)(?![\d:]))?/;
const slashed = /^(\d{4}|\d\d)\/(\d\d)\/(\d\d) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?/;
const common = /^(\d\d)\/([A-Za-z]{3})\/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-]\d{4})/;
const weekday =
  /^[A-Za-z]{3} ([A-Za-z]{3}) {1,2}(\d{1,2}) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))? (\d{4})/;
const yearless = /^([A-Za-z]{3}) {1,2}(\d{1,2}) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?/;

/** `2026-01-31T10:00:00.123456789+01:00` and its kin; without a zone it is the local one. */
export function isoTime(text: string): FoundTime | undefined {
  const found = iso.exec(text);
  if (found === null) return undefined;
  const [all, year, month, day, hour, minute, second, fraction, zone] = found;
  const parts = numbers(year, month, day, hour, minute, second);
  return foundAt(all, momentOf(parts, fraction, zone));
}

/** `31/Jan/2026:10:00:00 +0100`, as web servers write it. */
export function commonTime(text: string): FoundTime | undefined {
  const found = common.exec(text);
  if (found === null) return undefined;
  const [all, day, name, year, hour, minute, second, zone] = found;
  const parts = [Number(year), monthOf(name), ...numbers(day, hour, minute, second)];
  return foundAt(all, momentOf(parts, undefined, zone));
}

/** `26/01/31 10:00:00` and `2026/01/31 10:00:00`, in local time. */
export function slashedTime(text: string): FoundTime | undefined {
  const found = slashed.exec(text);
  if (found === null) return undefined;
  const [all, year = "", month, day, hour, minute, second, fraction] = found;
  const full = year.length === 2 ? 2000 + Number(year) : Number(year);
  return foundAt(all, momentOf([full, ...numbers(month, day, hour, minute, second)], fraction));
}

/** `Sat Jan 31 10:00:00.123456 2026`, in local time. */
export function weekdayTime(text: string): FoundTime | undefined {
  const found = weekday.exec(text);
  if (found === null) return undefined;
  const [all, name, day, hour, minute, second, fraction, year] = found;
  const parts = [Number(year), monthOf(name), ...numbers(day, hour, minute, second)];
  return foundAt(all, momentOf(parts, fraction));
}

/** `Jan 31 10:00:00`, in local time, of the last year in which it is not ahead of the reference. */
export function yearlessTime(text: string, { referenceMs }: TimeContext): FoundTime | undefined {
  const found = yearless.exec(text);
  if (found === null) return undefined;
  const [all, name, day, hour, minute, second, fraction] = found;
  const year = new Date(referenceMs).getFullYear() + 1;
  // Eight years back is as far as the last 29 February can lie.
  for (let back = 0; back <= 9; back++) {
    const parts = [year - back, monthOf(name), ...numbers(day, hour, minute, second)];
    const time = momentOf(parts, fraction);
    if (time !== undefined && time.ms <= referenceMs + dayMs) return foundAt(all, time);
  }
  return undefined;
}

/** Any of them, and `[…]` around them, at the start of a line. */
export function leadingTime(line: string, context: TimeContext): FoundTime | undefined {
  const skipped = line.startsWith("[") ? 1 : 0;
  const text = skipped === 0 ? line : line.slice(skipped);
  const found =
    isoTime(text) ??
    slashedTime(text) ??
    weekdayTime(text) ??
    commonTime(text) ??
    yearlessTime(text, context);
  return found === undefined ? undefined : { time: found.time, length: found.length + skipped };
}

function foundAt(all: string, time: Moment | undefined): FoundTime | undefined {
  return time === undefined ? undefined : { time, length: all.length };
}

/** The moment of year, month (1 to 12), day, hour, minute, second; undefined when there is none. */
function momentOf(parts: readonly number[], fraction?: string, zone?: string): Moment | undefined {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts;
  const isWithin = month >= 1 && month <= 12 && day >= 1 && hour < 24 && minute < 60 && second < 61;
  // Years below 100 would be taken for 19xx by Date; no log is that old.
  if (!isWithin || year < 1000 || day > new Date(Date.UTC(year, month, 0)).getUTCDate()) {
    return undefined;
  }
  const offset = zone === undefined ? undefined : offsetMinutes(zone);
  const seconds =
    offset === undefined
      ? new Date(year, month - 1, day, hour, minute, second).getTime()
      : Date.UTC(year, month - 1, day, hour, minute, second) - offset * 60_000;
  const digits = (fraction ?? "").padEnd(9, "0");
  return { ms: seconds + Number(digits.slice(0, 3)), ns: Number(digits.slice(3)) };
}

function offsetMinutes(zone: string): number {
  if (zone === "Z") return 0;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2));
  return zone.startsWith("-") ? -minutes : minutes;
}

function monthOf(name: string | undefined): number {
  return months.indexOf((name ?? "").toLowerCase()) + 1;
}

function numbers(...texts: readonly (string | undefined)[]): number[] {
  return texts.map(Number);
}
