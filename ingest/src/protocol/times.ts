import { byte, isDigit } from "./json-scan.ts";

/** 2262-04-11T23:47:16.854Z: what fits 64-bit nanoseconds, as most clients count them. */
export const timeMsMax = 9_223_372_036_854;

const capitalZ = 0x5a;

/** Nanoseconds of one unit of the last of so many digits after the point. */
const nanosOfDigits = [1e9, 1e8, 1e7, 1e6, 1e5, 1e4, 1e3, 100, 10, 1];

/** Digits of a number of epoch nanoseconds beyond which it is no time. */
const digitsMax = 30;

/**
 * Reads times from bytes: RFC 3339 with up to nanoseconds and any offset (none: UTC; a blank for the `T`),
 * or epoch numbers by their magnitude: below 1e11 seconds, below 1e14 milliseconds, below 1e17 microseconds,
 * else nanoseconds. Years 1970 to 2262. The result lies in `ms` and `ns`.
 */
export class TimeReader {
  /** Whole milliseconds since the epoch. */
  ms = 0;
  /** 0 to 999,999 within the millisecond. */
  ns = 0;

  /** The last date read, as year, month, day in one number, and its first millisecond. */
  #date = -1;
  #dateMs = 0;
  /** The first 16 bytes of the last time that was written as RFC 3339 in UTC, and the minute that they say. */
  readonly #minute = new Int32Array(4);
  #minuteMs = -1;
  readonly #digits = new Uint8Array(digitsMax + 9);

  /**
   * As `read`, quickly, for what is of the same minute as the last time and written like it; false for anything
   * else, which is left to `read`. `view` is over the memory of the bytes.
   */
  readAlike(view: DataView, start: number, end: number): boolean {
    const length = end - start;
    if (length < 20 || length > 30 || this.#minuteMs < 0) return false;
    const minute = this.#minute;
    for (let i = 0; i < 4; i++) {
      if (view.getInt32(start + 4 * i, true) !== minute[i]) return false;
    }
    const tens = view.getUint8(start + 17) - byte.zero;
    const ones = view.getUint8(start + 18) - byte.zero;
    const isSecond = tens >= 0 && tens < 6 && ones >= 0 && ones <= 9;
    if (!isSecond || view.getUint8(start + 16) !== byte.colon) return false;
    if (view.getUint8(end - 1) !== capitalZ) return false;
    let nanos = 0;
    if (length > 20) {
      if (length === 21 || view.getUint8(start + 19) !== byte.dot) return false;
      for (let at = start + 20; at < end - 1; at++) {
        const digit = view.getUint8(at) - byte.zero;
        if (digit < 0 || digit > 9) return false;
        nanos = nanos * 10 + digit;
      }
      nanos *= nanosOfDigits[length - 21] as number;
    }
    const ms = Math.floor(nanos / 1_000_000);
    this.ms = this.#minuteMs + (tens * 10 + ones) * 1_000 + ms;
    this.ns = nanos - ms * 1_000_000;
    return true;
  }

  /** Keeps the minute of the time that `read` has just read, where it is plainly in UTC. */
  keepMinute(view: DataView, start: number, end: number): void {
    this.#minuteMs = -1;
    const isDate = end - start >= 20 && view.getUint8(start + 4) === byte.minus;
    if (!isDate || view.getUint8(end - 1) !== capitalZ) return;
    const minuteMs = Math.floor(this.ms / 60_000) * 60_000;
    // The very last minute that there is would need a look at its seconds.
    if (minuteMs + 60_000 > timeMsMax) return;
    // A leap second belongs to the minute that follows it.
    if (view.getUint8(start + 17) > 0x35) return;
    for (let i = 0; i < 4; i++) this.#minute[i] = view.getInt32(start + 4 * i, true);
    this.#minuteMs = minuteMs;
  }

  /** Undefined when `bytes[start … end)` was read; otherwise what is wrong with it. */
  read(bytes: Uint8Array, start: number, end: number): string | undefined {
    const isDate =
      end - start >= 19 && bytes[start + 4] === byte.minus && bytes[start + 7] === byte.minus;
    const isRead = isDate ? this.#rfc3339(bytes, start, end) : this.#epoch(bytes, start, end);
    if (!isRead) return "the time cannot be read";
    return this.#inRange();
  }

  /** As `read`, for a number that always counts nanoseconds. */
  readNanoseconds(bytes: Uint8Array, start: number, end: number): string | undefined {
    const length = end - start;
    if (length === 0 || length > 19) return "the time cannot be read";
    for (let at = start; at < end; at++) {
      if (!isDigit(bytes[at] as number)) return "the time cannot be read";
    }
    const split = Math.max(start, end - 6);
    this.ms = numberOf(bytes, start, split);
    this.ns = numberOf(bytes, split, end);
    return this.#inRange();
  }

  #inRange(): string | undefined {
    return this.ms >= 0 && this.ms <= timeMsMax ? undefined : "the time is not in 1970 to 2262";
  }

  #rfc3339(bytes: Uint8Array, start: number, end: number): boolean {
    const year = two(bytes, start) * 100 + two(bytes, start + 2);
    const month = two(bytes, start + 5);
    const day = two(bytes, start + 8);
    const hour = two(bytes, start + 11);
    const minute = two(bytes, start + 14);
    const second = two(bytes, start + 17);
    // Any part that is not two digits is NaN, and so is the sum.
    const clockMs = hour * 3_600_000 + minute * 60_000 + second * 1_000;
    if (Number.isNaN(year + month + day + clockMs)) return false;
    const gap = bytes[start + 10] as number;
    if ((gap | 0x20) !== 0x74 && gap !== byte.space && gap !== 0x5f) return false;
    if (bytes[start + 13] !== byte.colon || bytes[start + 16] !== byte.colon) return false;
    // 60 is a leap second: the first moment of the next minute.
    if (hour > 23 || minute > 59 || second > 60) return false;
    const date = (year * 100 + month) * 100 + day;
    if (date !== this.#date && !this.#setDate(date, year, month, day)) return false;
    this.ms = this.#dateMs + clockMs;
    this.ns = 0;
    const at = this.#fraction(bytes, start + 19, end);
    return at > 0 && this.#offset(bytes, at, end);
  }

  #setDate(date: number, year: number, month: number, day: number): boolean {
    const dateMs = Date.UTC(year, month - 1, day);
    if (year < 100 || new Date(dateMs).getUTCMonth() !== month - 1 || day < 1) return false;
    this.#date = date;
    this.#dateMs = dateMs;
    return true;
  }

  /** Reads a fraction of a second, if there is one; digits past the ninth do not count. 0: unreadable. */
  #fraction(bytes: Uint8Array, at: number, end: number): number {
    if (at >= end || (bytes[at] !== byte.dot && bytes[at] !== byte.comma)) return at;
    const first = ++at;
    let value = 0;
    for (; at < end && isDigit(bytes[at] as number); at++) {
      if (at - first < 9) value = value * 10 + (bytes[at] as number) - byte.zero;
    }
    if (at === first) return 0;
    for (let digits = at - first; digits < 9; digits++) value *= 10;
    const ms = Math.floor(value / 1_000_000);
    this.ms += ms;
    this.ns = value - ms * 1_000_000;
    return at;
  }

  #offset(bytes: Uint8Array, at: number, end: number): boolean {
    const sign = bytes[at] as number;
    if (at === end) return true;
    if ((sign | 0x20) === 0x7a) return at + 1 === end;
    if (sign !== byte.plus && sign !== byte.minus) return false;
    const minuteAt = bytes[at + 3] === byte.colon ? at + 4 : at + 3;
    const hasMinutes = minuteAt + 2 === end;
    if (!hasMinutes && at + 3 !== end) return false;
    const hours = two(bytes, at + 1);
    const minutes = hasMinutes ? two(bytes, minuteAt) : 0;
    if (!(hours < 24 && minutes < 60)) return false;
    const offsetMs = (hours * 60 + minutes) * 60_000;
    this.ms += sign === byte.plus ? -offsetMs : offsetMs;
    return true;
  }

  /** A decimal number: its digits are collected, and the point moved by exponent and magnitude. */
  #epoch(bytes: Uint8Array, start: number, end: number): boolean {
    const digits = this.#digits;
    let count = 0;
    let point = -1;
    let at = start;
    for (; at < end; at++) {
      const c = bytes[at] as number;
      if (c === byte.dot) {
        if (point >= 0) return false;
        point = count;
        continue;
      }
      if (!isDigit(c)) break;
      if (count === 0 && point < 0 && c === byte.zero && isDigit(bytes[at + 1] as number)) continue;
      if (count < digitsMax) digits[count++] = c - byte.zero;
      else if (point < 0) return false;
    }
    if (count === 0) return false;
    if (point < 0) point = count;
    if (at < end) {
      const shift = exponentOf(bytes, at, end);
      if (Number.isNaN(shift)) return false;
      point += shift;
    }
    // Leading zeros, of 0.5e9, are no magnitude.
    let first = 0;
    while (first < count - 1 && first < point && digits[first] === 0) first++;
    const whole = point - first;
    const secondsPoint =
      whole <= 11 ? point : whole <= 14 ? point - 3 : whole <= 17 ? point - 6 : point - 9;
    if (whole > 19 || secondsPoint > digitsMax) return false;
    let seconds = 0;
    for (let i = first; i < secondsPoint; i++)
      seconds = seconds * 10 + (i < count ? (digits[i] as number) : 0);
    let nanos = 0;
    for (let i = secondsPoint; i < secondsPoint + 9; i++) {
      nanos = nanos * 10 + (i >= first && i < count ? (digits[i] as number) : 0);
    }
    const ms = Math.floor(nanos / 1_000_000);
    this.ms = seconds * 1_000 + ms;
    this.ns = nanos - ms * 1_000_000;
    return true;
  }
}

/** The two digits at `at` as a number; NaN where they are none. */
function two(bytes: Uint8Array, at: number): number {
  const tens = (bytes[at] as number) - byte.zero;
  const ones = (bytes[at + 1] as number) - byte.zero;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN;
}

function numberOf(bytes: Uint8Array, start: number, end: number): number {
  let value = 0;
  for (let at = start; at < end; at++) value = value * 10 + (bytes[at] as number) - byte.zero;
  return value;
}

/** The exponent `e±NN` at `at`, which must reach to `end`; NaN where it does not. */
function exponentOf(bytes: Uint8Array, at: number, end: number): number {
  if (((bytes[at] as number) | 0x20) !== 0x65) return Number.NaN;
  at++;
  const isNegative = bytes[at] === byte.minus;
  if (isNegative || bytes[at] === byte.plus) at++;
  if (at >= end || end - at > 2) return Number.NaN;
  for (let i = at; i < end; i++) if (!isDigit(bytes[i] as number)) return Number.NaN;
  const value = numberOf(bytes, at, end);
  return isNegative ? -value : value;
}
