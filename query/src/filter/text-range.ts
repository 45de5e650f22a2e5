import { costs } from "./filter.ts";
import type { ValueTest } from "./value-test.ts";

/** Texts from `min` to `max` by bytes; undefined is open. */
export interface TextRange {
  readonly min: string | undefined;
  readonly max: string | undefined;
  readonly minInclusive: boolean;
  readonly maxInclusive: boolean;
}

/** `:string_range(a, b)`, and `:>word`. A row without the field compares with nothing. */
export class TextRangeTest implements ValueTest {
  readonly cost = costs.value;
  readonly needle = undefined;
  readonly others = [];
  readonly tokens = [];
  readonly matchesEmpty = false;
  readonly decidesAtFirst = true;
  readonly piecesDecide = false;
  readonly isInWord = false;
  readonly #min: Buffer | undefined;
  readonly #max: Buffer | undefined;
  readonly #minInclusive: boolean;
  readonly #maxInclusive: boolean;

  constructor({ min, max, minInclusive, maxInclusive }: TextRange) {
    this.#min = min === undefined ? undefined : Buffer.from(min);
    this.#max = max === undefined ? undefined : Buffer.from(max);
    this.#minInclusive = minInclusive;
    this.#maxInclusive = maxInclusive;
  }

  matches(bytes: Buffer, from: number, to: number): boolean {
    if (this.#min !== undefined) {
      const order = compare(bytes, from, to, this.#min);
      if (order < 0 || (order === 0 && !this.#minInclusive)) return false;
    }
    if (this.#max === undefined) return true;
    const order = compare(bytes, from, to, this.#max);
    return order < 0 || (order === 0 && this.#maxInclusive);
  }
}

function compare(bytes: Buffer, from: number, to: number, other: Buffer): number {
  const shared = Math.min(to - from, other.length);
  for (let i = 0; i < shared; i++) {
    const difference = (bytes[from + i] as number) - (other[i] as number);
    if (difference !== 0) return difference;
  }
  return to - from - other.length;
}
