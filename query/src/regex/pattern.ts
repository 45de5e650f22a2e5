import { RE2JS, RE2JSException } from "re2js";
import { ServiceError } from "../../../kit/src/errors.ts";
import { patternLengthMax, programSizeMax } from "./limits.ts";
import { type RequiredLiteral, requiredLiteral } from "./literal.ts";

/** Where a pattern matches in a text. */
export interface PatternMatch {
  readonly start: number;
  readonly end: number;
  /** The text of a group by its name or number; empty for one that took no part, or that there is not. */
  group(name: string): string;
}

/** A regular expression in RE2's syntax; the time to match grows with the text, whatever the pattern. */
export class Pattern {
  readonly source: string;
  /** What a text must contain to match. */
  readonly literal: RequiredLiteral | undefined;
  readonly #compiled: RE2JS;

  /** Throws `query.invalid` for what is no pattern. */
  constructor(source: string) {
    this.source = source;
    this.#compiled = compiled(source, (message) => {
      return new ServiceError("query.invalid", message, { pattern: source.slice(0, 100) });
    });
    this.literal = requiredLiteral(source);
  }

  /** Whether a part of the text matches. */
  test(text: string): boolean {
    return this.#compiled.test(text);
  }

  /** The matches in a text, one after the other; good until the next is asked for. */
  *matches(text: string): Iterable<PatternMatch> {
    const matcher = this.#compiled.matcher(text);
    const group = (name: string) => groupOf(matcher, name);
    while (matcher.find()) yield { start: matcher.start(), end: matcher.end(), group };
  }

  /** Whether the whole text matches. */
  testWhole(text: string): boolean {
    return this.#compiled.testExact(text);
  }
}

function groupOf(matcher: ReturnType<RE2JS["matcher"]>, name: string): string {
  if (/^\d+$/.test(name)) {
    return Number(name) > matcher.groupCount() ? "" : (matcher.group(Number(name)) ?? "");
  }
  return Object.hasOwn(matcher.namedGroups, name) ? (matcher.group(name) ?? "") : "";
}

/** Throws what `errorOf` makes of the reason when the text is no pattern. */
export function checkRegex(source: string, errorOf: (message: string) => Error): void {
  compiled(source, errorOf);
}

function compiled(source: string, errorOf: (message: string) => Error): RE2JS {
  if (source.length > patternLengthMax) {
    throw errorOf(`the regular expression is longer than ${patternLengthMax} characters`);
  }
  let pattern: RE2JS;
  try {
    // A record of several lines is one text: a dot goes on over its line ends.
    pattern = RE2JS.compile(source, RE2JS.DOTALL);
  } catch (thrown) {
    if (thrown instanceof RE2JSException) throw errorOf(reasonOf(source, thrown));
    throw thrown;
  }
  if (pattern.programSize() > programSizeMax) {
    throw errorOf(
      "the regular expression is too large, its repetitions count as often as they say",
    );
  }
  return pattern;
}

const unsupported: readonly (readonly [RegExp, string])[] = [
  [/\(\?<?[=!]/, "lookahead and lookbehind are not supported, so that matching takes linear time"],
  [/\\[1-9]|\\k<|\(\?P=/, "backreferences are not supported, so that matching takes linear time"],
  [/\(\?>|[*+?}]\+/, "atomic groups and possessive repetitions are not supported, and not needed"],
];

function reasonOf(source: string, thrown: RE2JSException): string {
  const known = unsupported.find(([form]) => form.test(source));
  if (known !== undefined) return known[1];
  const reason = thrown.message.replace(/^error parsing regexp: /, "");
  return `this is no regular expression: ${reason}`;
}

/** The names of a pattern's groups, in their order. */
export function regexGroups(source: string): readonly string[] {
  const groups = RE2JS.compile(source, RE2JS.DOTALL).namedGroups();
  return Object.entries(groups)
    .sort(([, a], [, b]) => a - b)
    .map(([name]) => name);
}
