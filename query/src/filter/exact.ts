import { wordsOf } from "../../../kit/src/tokens.ts";
import { costs } from "./filter.ts";
import { startsWith } from "./value-scan.ts";
import type { ValueTest } from "./value-test.ts";
import { certainWords } from "./words.ts";

/** `="x"`: the whole value; `="x"*`: its beginning. The text is not empty. */
export class ExactTest implements ValueTest {
  readonly cost = costs.value;
  // Values are compared in place: their lengths and first bytes tell nearly all apart.
  readonly needle = undefined;
  readonly others: readonly Buffer[];
  readonly tokens: readonly string[];
  readonly matchesEmpty = false;
  readonly decidesAtFirst = true;
  readonly piecesDecide = false;
  readonly isInWord = false;
  readonly #wanted: Buffer;
  readonly #isPrefix: boolean;

  constructor(text: string, isPrefix: boolean) {
    this.#wanted = Buffer.from(text);
    this.others = [this.#wanted];
    this.#isPrefix = isPrefix;
    this.tokens = isPrefix ? certainWords(text, { start: false, end: true }) : wordsOf(text);
  }

  matches(bytes: Buffer, from: number, to: number): boolean {
    const length = to - from;
    const wanted = this.#wanted;
    const fits = this.#isPrefix ? length >= wanted.length : length === wanted.length;
    return fits && startsWith(bytes, wanted, from);
  }
}
