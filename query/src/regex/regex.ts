import { RE2JS } from "re2js";
import { messageOf, ServiceError } from "../../../kit/src/errors.ts";
import { requiredLiteral } from "./required-literal.ts";

/** Letters of a pattern: matching costs at most so many steps a letter of the text. */
const patternLengthMax = 4096;

/** A pattern in RE2's syntax, matched in time linear in the text. */
export interface Regex {
  readonly pattern: string;
  /** A text that every match contains; "" when none is known. */
  readonly literal: string;
  /** The pattern is that text and nothing else. */
  readonly isLiteral: boolean;
  /** Whether it is found anywhere in the text. */
  test(text: string): boolean;
}

/** Throws `query.syntax` for what RE2 does not take: look-around, backreferences, too much repetition. */
export function compileRegex(pattern: string): Regex {
  if (pattern.length > patternLengthMax) {
    throw new ServiceError("query.syntax", "the regular expression is too long", {
      patternLengthMax,
    });
  }
  try {
    const compiled = RE2JS.compile(pattern, RE2JS.DOTALL);
    const { literal, isWhole } = requiredLiteral(pattern);
    return { pattern, literal, isLiteral: isWhole, test: (text) => compiled.test(text) };
  } catch (thrown) {
    const reason = messageOf(thrown);
    const what = "the regular expression cannot be compiled, its syntax is that of RE2";
    throw new ServiceError("query.syntax", `${what}: ${reason}`, {
      pattern: pattern.slice(0, 200),
    });
  }
}
