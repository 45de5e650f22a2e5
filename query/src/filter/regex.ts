import type { Pattern } from "../regex/pattern.ts";
import { costs } from "./filter.ts";
import type { ValueTest } from "./value-test.ts";
import { certainWords } from "./words.ts";

/** `~"re"`: some part of the value matches. Only values that have the pattern's literal are matched. */
export class RegexTest implements ValueTest {
  readonly cost: number;
  readonly needle: Buffer | undefined;
  readonly tokens: readonly string[];
  readonly matchesEmpty: boolean;
  readonly decidesAtFirst = true;
  readonly #pattern: Pattern;
  readonly #isLiteral: boolean;

  constructor(pattern: Pattern) {
    const { literal } = pattern;
    this.#pattern = pattern;
    this.#isLiteral = literal?.isWhole ?? false;
    this.cost = this.#isLiteral ? costs.search : costs.regex;
    this.needle = literal === undefined ? undefined : Buffer.from(literal.text);
    this.tokens =
      literal === undefined ? [] : certainWords(literal.text, { start: true, end: true });
    this.matchesEmpty = pattern.test("");
  }

  matches(bytes: Buffer, from: number, to: number): boolean {
    return this.#isLiteral || this.#pattern.test(bytes.toString("utf8", from, to));
  }
}
