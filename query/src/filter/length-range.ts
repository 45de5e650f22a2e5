import { costs } from "./filter.ts";
import type { ValueTest } from "./value-test.ts";

/** `:len_range(5, 10)`: so many Unicode code points, both ends in. */
export class LengthRangeTest implements ValueTest {
  readonly cost = costs.search;
  readonly needle = undefined;
  readonly others = [];
  readonly tokens = [];
  readonly matchesEmpty: boolean;
  readonly decidesAtFirst = true;
  readonly piecesDecide = false;
  readonly isInWord = false;
  readonly #min: number;
  readonly #max: number;

  constructor(min: number, max: number) {
    this.#min = min;
    this.#max = max;
    this.matchesEmpty = min === 0 && max >= 0;
  }

  matches(bytes: Buffer, from: number, to: number): boolean {
    // A code point takes one to four bytes: most values are told by their length in bytes.
    if (to - from < this.#min || to - from > 4 * this.#max) return false;
    let length = 0;
    for (let at = from; at < to; at++) if (((bytes[at] as number) & 0xc0) !== 0x80) length++;
    return length >= this.#min && length <= this.#max;
  }
}
