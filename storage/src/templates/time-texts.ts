/** Ways in which messages print their record's time (in UTC), all from its milliseconds. */
export const timeForms = 7;
export const dateForm = 1;
/** This one and those before have the clock apart from the date, in words of two digits. */
export const clockForm = 2;

/** The form whose texts have so many bytes; -1: none. */
export function timeFormOf(length: number): number {
  return formLengths.indexOf(length);
}

const formLengths: readonly number[] = [20, 10, 8, 19, 24, 23, 12];

/** The longest of them. */
export const timeTextBytesMax = 24;

const months = Buffer.from("JanFebMarAprMayJunJulAugSepOctNovDec");
const dayMs = 86_400_000;

/**
 * Prints moments in one form after the other: 0 `20/Nov/2026:00:03:58` (common log format) · 1 `2026-11-20` ·
 * 2 `00:03:58` · 3 date `T` clock · 4 that and `.123Z` · 5 that and `.123` · 6 clock and `.123`.
 */
export class TimeTexts {
  readonly bytes = Buffer.alloc(timeTextBytesMax);
  #form = -1;
  #second = Number.NaN;
  #day = Number.NaN;
  /** Where the clock stands; -1: the day cannot be printed. */
  #clockAt = 0;
  #length = 0;

  /** Prints into `bytes`, from its start, and returns the length. Times are of the years 0 to 9999, else 0. */
  print(form: number, ms: number): number {
    const second = Math.floor(ms / 1000);
    if (second !== this.#second || form !== this.#form) {
      this.#length = this.#printSecond(form, second);
    }
    if (form < 4 || this.#length === 0) return this.#length;
    const at = this.#length;
    this.bytes[at] = 0x2e;
    putDigits(this.bytes, at + 1, ms - second * 1000, 3);
    if (form !== 4) return at + 4;
    this.bytes[at + 4] = 0x5a;
    return at + 5;
  }

  #printSecond(form: number, second: number): number {
    const day = Math.floor(second / 86_400);
    if (day !== this.#day || form !== this.#form) {
      this.#clockAt = this.#printDay(form, day);
      this.#day = day;
      this.#form = form;
    }
    this.#second = second;
    if (this.#clockAt < 0) return 0;
    return form === dateForm ? 10 : this.#putClock(this.#clockAt, second - day * 86_400);
  }

  /** Prints what stands before the clock. */
  #printDay(form: number, day: number): number {
    const date = new Date(day * dayMs);
    const year = date.getUTCFullYear();
    // Negated so that an invalid date is refused.
    if (!(year >= 0 && year <= 9999)) return -1;
    if (form === clockForm || form === 6) return 0;
    const { bytes } = this;
    const month = date.getUTCMonth();
    if (form === 0) {
      putDigits(bytes, 0, date.getUTCDate(), 2);
      bytes[2] = 0x2f;
      months.copy(bytes, 3, month * 3, month * 3 + 3);
      bytes[6] = 0x2f;
      putDigits(bytes, 7, year, 4);
      bytes[11] = 0x3a;
      return 12;
    }
    putDigits(bytes, 0, year, 4);
    bytes[4] = 0x2d;
    putDigits(bytes, 5, month + 1, 2);
    bytes[7] = 0x2d;
    putDigits(bytes, 8, date.getUTCDate(), 2);
    bytes[10] = 0x54;
    return 11;
  }

  #putClock(at: number, clock: number): number {
    const { bytes } = this;
    const minutes = (clock / 60) | 0;
    const hours = (minutes / 60) | 0;
    putPair(bytes, at, hours);
    bytes[at + 2] = 0x3a;
    putPair(bytes, at + 3, minutes - hours * 60);
    bytes[at + 5] = 0x3a;
    putPair(bytes, at + 6, clock - minutes * 60);
    return at + 8;
  }
}

function putPair(bytes: Buffer, at: number, number: number): void {
  const tens = (number * 205) >>> 11;
  bytes[at] = 0x30 + tens;
  bytes[at + 1] = 0x30 + number - tens * 10;
}

function putDigits(bytes: Buffer, at: number, number: number, digits: number): void {
  for (let i = at + digits - 1; i >= at; i--) {
    bytes[i] = 0x30 + (number % 10);
    number = Math.floor(number / 10);
  }
}
