import { assert } from "../../../kit/src/assert.ts";
import { costs } from "./filter.ts";
import type { ValueTest } from "./value-test.ts";
import { certainWords } from "./words.ts";

/** `*rro*`: the text anywhere. */
export class SubstringTest implements ValueTest {
  readonly cost = costs.search;
  readonly needle: Buffer;
  readonly tokens: readonly string[];
  readonly matchesEmpty = false;
  readonly decidesAtFirst = true;

  constructor(text: string) {
    assert(text !== "", "an empty text stands everywhere, there is no search for it");
    this.needle = Buffer.from(text);
    this.tokens = certainWords(text, { start: true, end: true });
  }

  matches(): boolean {
    return true;
  }
}
