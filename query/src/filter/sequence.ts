import { costs } from "./filter.ts";
import { PhraseTest } from "./phrase.ts";
import { indexWithin } from "./value-scan.ts";
import type { ValueTest } from "./value-test.ts";

/** `seq(a, "b c")`: these phrases one after the other, at least one, none of them empty. */
export class SequenceTest implements ValueTest {
  readonly cost = costs.search;
  readonly needle: Buffer | undefined;
  readonly others: readonly Buffer[];
  readonly tokens: readonly string[];
  readonly matchesEmpty = false;
  readonly decidesAtFirst = true;
  readonly piecesDecide = false;
  readonly isInWord = false;
  readonly #phrases: readonly PhraseTest[];

  constructor(phrases: readonly string[]) {
    this.#phrases = phrases.map((phrase) => new PhraseTest(phrase, false));
    this.needle = this.#phrases[0]?.needle;
    this.others = this.#phrases.slice(1).map(({ needle }) => needle);
    this.tokens = [...new Set(this.#phrases.flatMap(({ tokens }) => tokens))];
  }

  matches(bytes: Buffer, from: number, to: number): boolean {
    let at = from;
    for (const phrase of this.#phrases) {
      at = indexWithin(bytes, phrase.needle, at, to);
      while (at >= 0 && !phrase.matches(bytes, from, to, at)) {
        at = indexWithin(bytes, phrase.needle, at + 1, to);
      }
      if (at < 0) return false;
      at += phrase.needle.length;
    }
    return true;
  }
}
