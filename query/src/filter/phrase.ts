import { assert } from "../../../kit/src/assert.ts";
import { costs } from "./filter.ts";
import type { ValueTest } from "./value-test.ts";
import { beginsWord, certainWords, endsWord, isWord, isWordEnd, isWordStart } from "./words.ts";

/**
 * `error`, `"disk is full"`: the text, its first and last word whole. As a prefix, `err*`, the last
 * word may go on.
 */
export class PhraseTest implements ValueTest {
  readonly cost = costs.search;
  readonly needle: Buffer;
  readonly others = [];
  readonly tokens: readonly string[];
  readonly matchesEmpty = false;
  readonly decidesAtFirst: boolean;
  readonly piecesDecide = true;
  readonly isInWord: boolean;
  readonly bindsStart: boolean;
  readonly bindsEnd: boolean;

  constructor(text: string, isPrefix: boolean) {
    assert(text !== "", "an empty text stands everywhere, there is no search for it");
    this.needle = Buffer.from(text);
    this.isInWord = isWord(this.needle);
    this.tokens = certainWords(text, { start: false, end: isPrefix });
    this.bindsStart = isWordStart(this.needle);
    this.bindsEnd = !isPrefix && isWordEnd(this.needle);
    this.decidesAtFirst = !this.bindsStart && !this.bindsEnd;
  }

  matches(bytes: Buffer, from: number, to: number, at: number): boolean {
    return (
      (!this.bindsStart || beginsWord(bytes, from, at)) &&
      (!this.bindsEnd || endsWord(bytes, at + this.needle.length, to))
    );
  }
}
