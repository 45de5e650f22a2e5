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
  #date = { year: 1970, month: 0, day: 1 };
  #length = 0;

  /** Prints into `bytes`, from its start, and returns the length. Times are of the years 0 to 9999, else 0. */
  print(form: number, ms: number): number {
    const second = Math.floor(ms / 1000);
    if (second !== this.#second || form !== this.#form) {
      this.#second = second;
      this.#form = form;
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
    if (day !== this.#day) {
      const date = new Date(day * dayMs);
      const year = date.getUTCFullYear();
      this.#day = day;
      this.#date = { year, month: date.getUTCMonth(), day: date.getUTCDate() };
    }
    const { year } = this.#date;
    // Negated so that an invalid date is refused.
    if (!(year >= 0 && year <= 9999)) return 0;
    const clock = second - day * 86_400;
    if (form === 2 || form === 6) return this.#putClock(0, clock);
    if (form === 0) {
      this.#putCommonDate();
      return this.#putClock(12, clock);
    }
    this.#putDate();
    if (form === 1) return 10;
    this.bytes[10] = 0x54;
    return this.#putClock(11, clock);
  }

  #putDate(): void {
    const { year, month, day } = this.#date;
    putDigits(this.bytes, 0, year, 4);
    this.bytes[4] = 0x2d;
    putDigits(this.bytes, 5, month + 1, 2);
    this.bytes[7] = 0x2d;
    putDigits(this.bytes, 8, day, 2);
  }

  #putCommonDate(): void {
    const { year, month, day } = this.#date;
    putDigits(this.bytes, 0, day, 2);
    this.bytes[2] = 0x2f;
    months.copy(this.bytes, 3, month * 3, month * 3 + 3);
    this.bytes[6] = 0x2f;
    putDigits(this.bytes, 7, year, 4);
    this.bytes[11] = 0x3a;
  }

  #putClock(at: number, clock: number): number {
    putDigits(this.bytes, at, Math.floor(clock / 3600), 2);
    this.bytes[at + 2] = 0x3a;
    putDigits(this.bytes, at + 3, Math.floor(clock / 60) % 60, 2);
    this.bytes[at + 5] = 0x3a;
    putDigits(this.bytes, at + 6, clock % 60, 2);
    return at + 8;
  }
}

function putDigits(bytes: Buffer, at: number, number: number, digits: number): void {
  for (let i = at + digits - 1; i >= at; i--) {
    bytes[i] = 0x30 + (number % 10);
    number = Math.floor(number / 10);
  }
}
