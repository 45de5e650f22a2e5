import { wordsOf } from "../../../kit/src/tokens.ts";
import type { Regex } from "../regex/regex.ts";
import { costs } from "./filter.ts";
import { literalTest } from "./literal.ts";
import { markEach, type ValueTest } from "./values.ts";

/** Values that a pattern is found in. Only those that contain its literal are tried. */
export function regexTest(regex: Regex): ValueTest {
  const { literal } = regex;
  const matchesEmpty = regex.test("");
  const test = (bytes: Buffer, start: number, end: number): boolean =>
    regex.test(bytes.toString("utf8", start, end));
  if (literal === "") {
    return {
      cost: costs.regex,
      matchesEmpty,
      words: [],
      mark: (values, wanted, marked) => markEach(values, wanted, marked, test),
    };
  }
  const contained = literalTest(literal, { before: false, after: false }, false);
  if (regex.isLiteral) return contained;
  return {
    cost: costs.regex,
    matchesEmpty,
    // The literal's first and last word may go on beside it.
    words: wordsOf(literal).slice(1, -1),
    mark: (values, wanted, marked) => {
      const candidates = new Uint8Array(marked.length);
      contained.mark(values, wanted, candidates);
      markEach(values, candidates, marked, test);
    },
  };
}
