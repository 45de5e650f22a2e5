import { isWordByte } from "../../../kit/src/tokens.ts";
import { costs } from "./filter.ts";
import type { ValueTest } from "./value-test.ts";

/** `i(error)`, `i(err*)`: as a phrase or prefix, capital and small letters alike. */
export class AnyCasePhraseTest implements ValueTest {
  readonly cost = costs.text;
  readonly needle = undefined;
  readonly others = [];
  readonly tokens = [];
  readonly matchesEmpty = false;
  readonly decidesAtFirst = true;
  readonly piecesDecide: boolean;
  readonly isInWord: boolean;
  readonly #lower: string;
  readonly #bindsStart: boolean;
  readonly #bindsEnd: boolean;

  constructor(text: string, isPrefix: boolean) {
    this.#lower = text.toLowerCase();
    // Beyond ASCII what a letter becomes may depend on its neighbours.
    this.isInWord = /^[0-9a-z_]+$/.test(this.#lower);
    this.piecesDecide = this.isInWord;
    this.#bindsStart = isWordUnit(this.#lower, 0);
    this.#bindsEnd = !isPrefix && isWordUnit(this.#lower, this.#lower.length - 1);
  }

  matches(bytes: Buffer, from: number, to: number): boolean {
    const text = bytes.toString("utf8", from, to).toLowerCase();
    const { length } = this.#lower;
    for (let at = text.indexOf(this.#lower); at >= 0; at = text.indexOf(this.#lower, at + 1)) {
      const begins = !this.#bindsStart || !isWordUnit(text, at - 1);
      if (begins && (!this.#bindsEnd || !isWordUnit(text, at + length))) return true;
    }
    return false;
  }
}

/** Whether the UTF-16 unit at `at` belongs to a word; every unit beyond ASCII does, none outside the text. */
function isWordUnit(text: string, at: number): boolean {
  const unit = text.charCodeAt(at);
  return unit >= 0x80 || isWordByte[unit] === 1;
}
