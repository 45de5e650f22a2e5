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
 */
export class ValueShape {
  /** Bytes before each run, and after the last. */
  readonly literals: readonly Buffer[];
  readonly runs: readonly DigitRun[];
  count = 0;

  constructor(literals: readonly Buffer[], runs: readonly DigitRun[]) {
    this.literals = literals;
    this.runs = runs;
  }

  /** Takes the value in if it is of this shape. */
  takes(bytes: Buffer, start: number, end: number): boolean {
    const { literals, runs } = this;
    let at = start;
    for (let i = 0; i < runs.length; i++) {
      at = afterLiteral(literals[i] as Buffer, bytes, at, end);
      if (at < 0) return false;
      at = (runs[i] as DigitRun).take(bytes, at, end, this.count);
      if (at < 0) return false;
    }
    if (afterLiteral(literals[runs.length] as Buffer, bytes, at, end) !== end) return false;
    for (let i = 0; i < runs.length; i++) (runs[i] as DigitRun).keep();
    this.count++;
    return true;
  }
}

function afterLiteral(literal: Buffer, bytes: Buffer, at: number, end: number): number {
  const length = literal.length;
  if (at + length > end) return -1;
  for (let i = 0; i < length; i++) if (literal[i] !== bytes[at + i]) return -1;
  return at + length;
}

/** The numbers of one run of digits, one for each value. */
export class DigitRun {
  readonly low: Float64Array;
  high: Float64Array | undefined;
  hasLeadingZero = false;
  lengthMin = digitsMax;
  lengthMax = 0;
  #length = 0;
  #startsWithZero = false;

  constructor(numbers: Float64Array) {
    this.low = numbers;
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
      if (this.high !== undefined) this.high[index] = 0;
    }
    return at;
  }

  /** The run just read belongs to a value that fits. */
  keep(): void {
    if (this.#startsWithZero) this.hasLeadingZero = true;
    if (this.#length < this.lengthMin) this.lengthMin = this.#length;
    if (this.#length > this.lengthMax) this.lengthMax = this.#length;
  }

  #takeLong(bytes: Buffer, start: number, end: number, index: number): void {
    // Values before this one had none.
    this.high ??= new Float64Array(this.low.length);
    this.high[index] = digitsAt(bytes, start, end - lowDigits);
    this.low[index] = digitsAt(bytes, end - lowDigits, end);
  }
}

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

/** The shape of a value, undefined when it has none worth keeping. */
export function shapeOf(
  bytes: Buffer,
  start: number,
  end: number,
  capacity: number,
): ValueShape | undefined {
  if (end - start > shapeBytesMax) return undefined;
  const literals: Buffer[] = [];
  let from = start;
  let at = start;
  while (at < end) {
    if (!isDigit(bytes[at] as number)) {
      at++;
      continue;
    }
    literals.push(Buffer.from(bytes.subarray(from, at)));
    while (at < end && isDigit(bytes[at] as number)) at++;
    from = at;
    if (literals.length > shapeRunsMax) return undefined;
  }
  if (literals.length === 0) return undefined;
  const runs = literals.map(() => new DigitRun(scratch.take(capacity)));
  literals.push(Buffer.from(bytes.subarray(from, end)));
  return new ValueShape(literals, runs);
}

/** Memory for the numbers of a list's shapes: used again for the next list. */
class Scratch {
  readonly #arrays: Float64Array[] = [];
  #taken = 0;

  /** What was taken before is free again. */
  reset(): void {
    this.#taken = 0;
  }

  /** An array of at least so many numbers, whatever they are. */
  take(length: number): Float64Array {
    const at = this.#taken++;
    const known = this.#arrays[at];
    if (known !== undefined && known.length >= length) return known;
    const made = new Float64Array(Math.max(1_024, length));
    this.#arrays[at] = made;
    return made;
  }
}

export const scratch = new Scratch();

function isDigit(byte: number): boolean {
  return byte >= zero && byte <= 0x39;
}

/** Whether the numbers print back to the same digits. */
export function isPrintable(shape: ValueShape): boolean {
  return shape.runs.every((run) => !run.hasLeadingZero || run.lengthMin === run.lengthMax);
}

/** How many digits each number of a run has with zeros before it; 0: as many as it needs. */
export function fixedDigits(run: DigitRun): number {
  return run.hasLeadingZero ? run.lengthMin : 0;
}

export function writeLiterals(shape: ValueShape, out: ByteWriter): void {
  out.varint(shape.runs.length);
  for (const literal of shape.literals) out.blob(literal);
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
