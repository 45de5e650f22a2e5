import { assert } from "../../../kit/src/assert.ts";
import { costs } from "./filter.ts";
import type { ValueTest } from "./value-test.ts";
import { certainWords, isWord } from "./words.ts";

/** `*rro*`: the text anywhere. */
export class SubstringTest implements ValueTest {
  readonly cost = costs.search;
  readonly needle: Buffer;
  readonly others = [];
  readonly tokens: readonly string[];
  readonly matchesEmpty = false;
  readonly decidesAtFirst = true;
  readonly piecesDecide = true;
  readonly isInWord: boolean;

  constructor(text: string) {
    assert(text !== "", "an empty text stands everywhere, there is no search for it");
    this.needle = Buffer.from(text);
    this.isInWord = isWord(this.needle);
    this.tokens = certainWords(text, { start: true, end: true });
  }

  matches(): boolean {
    return true;
  }
}
