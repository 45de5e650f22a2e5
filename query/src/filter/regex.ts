import type { Pattern } from "../regex/pattern.ts";
import { interrupt } from "../table/interrupt.ts";
import { costs } from "./filter.ts";
import { indexWithin } from "./value-scan.ts";
import type { ValueTest } from "./value-test.ts";
import { certainWords, isWord } from "./words.ts";

/** `~"re"`: some part of the value matches. Only values that have the pattern's literals are matched. */
export class RegexTest implements ValueTest {
  readonly cost: number;
  readonly needle: Buffer | undefined;
  readonly others: readonly Buffer[];
  readonly tokens: readonly string[];
  readonly matchesEmpty: boolean;
  readonly decidesAtFirst = true;
  readonly piecesDecide: boolean;
  readonly isInWord: boolean;
  readonly #pattern: Pattern;
  readonly #isLiteral: boolean;

  constructor(pattern: Pattern) {
    const { literal } = pattern;
    this.#pattern = pattern;
    this.#isLiteral = literal?.isWhole ?? false;
    this.others = (literal?.others ?? []).map((text) => Buffer.from(text));
    this.cost = this.#isLiteral ? costs.search : costs.regex;
    this.needle = literal === undefined ? undefined : Buffer.from(literal.text);
    this.piecesDecide = this.#isLiteral;
    this.isInWord = this.#isLiteral && this.needle !== undefined && isWord(this.needle);
    const texts = literal === undefined ? [] : [literal.text, ...literal.others];
    this.tokens = texts.flatMap((text) => certainWords(text, { start: true, end: true }));
    this.matchesEmpty = pattern.test("");
  }

  matches(bytes: Buffer, from: number, to: number): boolean {
    if (this.#isLiteral) return true;
    for (const other of this.others) if (indexWithin(bytes, other, from, to) < 0) return false;
    interrupt.check();
    return this.#pattern.test(bytes.toString("utf8", from, to));
  }
}
