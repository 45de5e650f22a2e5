import type { ByteWriter } from "./byte-writer.ts";
import { shapeBytesMax, shapeRunsMax } from "./limits.ts";

const zero = 0x30;

/** Digits of a number kept in one double; longer runs of digits have a second for those before. */
export const lowDigits = 15;
const lowScale = 10 ** lowDigits;
const digitsMax = 2 * lowDigits;

/**
 * Values alike but for runs of digits: `blk_-123`, `10.1.2.3:80`. The bytes between the runs are kept once, the
 * runs as numbers. A run with a leading zero is a number too if it is of the same length in all values.
 * Used for list after list: most lists are short, and memory of their own would cost more than what they hold.
 */
export class ValueShape {
  /** Values taken in. */
  count = 0;
  runCount = 0;
  /** The first `runCount` are in use. */
  readonly runs: DigitRun[] = [];
  /** What stands before each run, and after the last. */
  readonly #literals = Buffer.allocUnsafeSlow(shapeBytesMax);
  readonly #literalEnds = new Uint16Array(shapeRunsMax + 1);

  /** Becomes the shape of this value, which is to be taken in; false when it has none worth keeping. */
  learn(bytes: Buffer, start: number, end: number, capacity: number): boolean {
    this.count = 0;
    this.runCount = 0;
    if (end - start > shapeBytesMax) return false;
    let length = 0;
    for (let at = start; at < end; ) {
      if (!isDigit(bytes[at] as number)) {
        this.#literals[length++] = bytes[at++] as number;
        continue;
      }
      while (at < end && isDigit(bytes[at] as number)) at++;
      if (this.runCount === shapeRunsMax) return false;
      this.#literalEnds[this.runCount] = length;
      this.#begin(this.runCount++, capacity);
    }
    this.#literalEnds[this.runCount] = length;
    return this.runCount > 0;
  }

  /** Takes the value in if it is of this shape. */
  takes(bytes: Buffer, start: number, end: number): boolean {
    const { runs, runCount } = this;
    let at = start;
    let literal = 0;
    for (let i = 0; i < runCount; i++) {
      const literalEnd = this.#literalEnds[i] as number;
      at = this.#afterLiteral(literal, literalEnd, bytes, at, end);
      if (at < 0) return false;
      at = (runs[i] as DigitRun).take(bytes, at, end, this.count);
      if (at < 0) return false;
      literal = literalEnd;
    }
    const last = this.#literalEnds[runCount] as number;
    if (this.#afterLiteral(literal, last, bytes, at, end) !== end) return false;
    for (let i = 0; i < runCount; i++) (runs[i] as DigitRun).keep();
    this.count++;
    return true;
  }

  /** Whether the numbers print back to the same digits. */
  get isPrintable(): boolean {
    for (let i = 0; i < this.runCount; i++)
      if (!(this.runs[i] as DigitRun).isPrintable) return false;
    return true;
  }

  writeLiterals(out: ByteWriter): void {
    out.varint(this.runCount);
    let start = 0;
    for (let i = 0; i <= this.runCount; i++) {
      const end = this.#literalEnds[i] as number;
      out.range(this.#literals, start, end);
      start = end;
    }
  }

  #begin(run: number, capacity: number): void {
    if (run === this.runs.length) this.runs.push(new DigitRun());
    (this.runs[run] as DigitRun).begin(capacity);
  }

  /** Where the literal that stands at `at` ends; -1 when it does not stand there. */
  #afterLiteral(from: number, to: number, bytes: Buffer, at: number, end: number): number {
    if (at + to - from > end) return -1;
    while (from < to) if (this.#literals[from++] !== bytes[at++]) return -1;
    return at;
  }
}

/** The numbers of one run of digits, one for each value. */
export class DigitRun {
  low = new Float64Array(0);
  /** What stands before the last `lowDigits` digits; only with `hasHigh`. */
  high = new Float64Array(0);
  hasHigh = false;
  #capacity = 0;
  #hasLeadingZero = false;
  #lengthMin = digitsMax;
  #lengthMax = 0;
  #length = 0;
  #startsWithZero = false;

  /** Forgets what it holds, and has room for so many numbers. */
  begin(capacity: number): void {
    if (this.low.length < capacity) {
      this.low = new Float64Array(Math.max(runCapacityMin, 2 ** Math.ceil(Math.log2(capacity))));
    }
    this.#capacity = capacity;
    // Numbers so long are rare, and would double what is kept.
    if (this.high.length > runCapacityMin) this.high = new Float64Array(0);
    this.hasHigh = false;
    this.#hasLeadingZero = false;
    this.#lengthMin = digitsMax;
    this.#lengthMax = 0;
  }

  /** Reads the run at `at` as value `index`; returns its end, -1 when there is none that fits. */
  take(bytes: Buffer, at: number, end: number, index: number): number {
    const start = at;
    let sum = 0;
    while (at < end) {
      const digit = (bytes[at] as number) - zero;
      if (digit < 0 || digit > 9) break;
      // Whole up to nine digits, and wrong beyond: then it is read anew.
      sum = (Math.imul(sum, 10) + digit) | 0;
      at++;
    }
    const length = at - start;
    if (length === 0 || length > digitsMax) return -1;
    this.#length = length;
    this.#startsWithZero = length > 1 && bytes[start] === zero;
    if (length > lowDigits) this.#takeLong(bytes, start, at, index);
    else {
      this.low[index] = length > 9 ? digitsAt(bytes, start, at) : sum;
      if (this.hasHigh) this.high[index] = 0;
    }
    return at;
  }

  /** The run just read belongs to a value that fits. */
  keep(): void {
    if (this.#startsWithZero) this.#hasLeadingZero = true;
    if (this.#length < this.#lengthMin) this.#lengthMin = this.#length;
    if (this.#length > this.#lengthMax) this.#lengthMax = this.#length;
  }

  get isPrintable(): boolean {
    return !this.#hasLeadingZero || this.#lengthMin === this.#lengthMax;
  }

  /** How many digits each number has with zeros before it; 0: as many as it needs. */
  get fixedDigits(): number {
    return this.#hasLeadingZero ? this.#lengthMin : 0;
  }

  #takeLong(bytes: Buffer, start: number, end: number, index: number): void {
    if (!this.hasHigh) {
      this.hasHigh = true;
      // Values before this one had none.
      if (this.high.length >= this.#capacity) this.high.fill(0, 0, index);
      else this.high = new Float64Array(Math.max(runCapacityMin, this.#capacity));
    }
    this.high[index] = digitsAt(bytes, start, end - lowDigits);
    this.low[index] = digitsAt(bytes, end - lowDigits, end);
  }
}

/** Numbers that a run has room for at least. */
const runCapacityMin = 1_024;

/** A number of up to `lowDigits` digits, nine at a time: whole numbers are quicker than doubles. */
function digitsAt(bytes: Buffer, start: number, end: number): number {
  const middle = Math.max(start, end - 9);
  return wholeAt(bytes, start, middle) * 1e9 + wholeAt(bytes, middle, end);
}

function wholeAt(bytes: Buffer, start: number, end: number): number {
  let sum = 0;
  for (let at = start; at < end; at++)
    sum = (Math.imul(sum, 10) + (bytes[at] as number) - zero) | 0;
  return sum;
}

function isDigit(byte: number): boolean {
  return byte >= zero && byte <= 0x39;
}

/** Digits of a whole number below 10^15, at least `digitsMin`, written before `end`; returns where they begin. */
export function printDigits(number: number, digitsMin: number, out: Buffer, end: number): number {
  let at = end;
  let rest = number;
  // Above 31 bits `| 0` would wrap; division by floor is right but slower.
  while (rest > 0x7fffffff) {
    const tenth = Math.floor(rest / 10);
    out[--at] = zero + rest - tenth * 10;
    rest = tenth;
  }
  let low = rest | 0;
  while (low > 0) {
    const tenth = (low / 10) | 0;
    out[--at] = zero + low - tenth * 10;
    low = tenth;
  }
  while (end - at < digitsMin) out[--at] = zero;
  return at;
}

export { lowScale };
