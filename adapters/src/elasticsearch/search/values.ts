import { wordsOf } from "../../../../kit/src/tokens.ts";
import { certainWords } from "../../../../query/src/filter/words.ts";
import { Pattern } from "../../../../query/src/regex/pattern.ts";
import { exactLengthMax, wordLengthMax } from "../template.ts";
import {
  allClauses,
  anyOf,
  atMost,
  type Clause,
  everything,
  exactly,
  type Narrowed,
  negated,
  noneOf,
  unknown,
} from "./clause.ts";
import { wordsPerLeafMax } from "./limits.ts";
import type { FieldPlace } from "./places.ts";

// Conditions on the value of one field, each as Elasticsearch can ask it.

/** The field has a value that is not empty. */
export function hasValue(place: FieldPlace): Narrowed {
  const there = { exists: { field: place.exact } };
  return place.withIgnored(exactly(allClauses([there, negated(isTerm(place, ""))])));
}

/** `="x"`. */
export function isValue(place: FieldPlace, value: string): Narrowed {
  if (value === "") return noneOf(hasValue(place));
  if (value.length > exactLengthMax)
    return place.withIgnored(atMost(hasWords(place, wordsOf(value))));
  return place.withIgnored(exactly(isTerm(place, value)));
}

/** `in(a, b)`. */
export function isOneOf(place: FieldPlace, values: readonly string[]): Narrowed {
  const short = values.filter((value) => value !== "" && value.length <= exactLengthMax);
  const long = values.filter((value) => value.length > exactLengthMax);
  const parts = long.map((value) => isValue(place, value));
  if (short.length > 0) {
    parts.push(place.withIgnored(exactly({ terms: { [place.exact]: [...new Set(short)] } })));
  }
  if (values.includes("")) parts.push(noneOf(hasValue(place)));
  return anyOf(parts);
}

/** `="x"*`. */
export function beginsWith(place: FieldPlace, text: string): Narrowed {
  if (text === "") return everything;
  if (text.length > exactLengthMax) return unknown;
  return place.withIgnored(exactly({ prefix: { [place.exact]: { value: text } } }));
}

export interface TextBounds {
  readonly min: string | undefined;
  readonly max: string | undefined;
  readonly minInclusive: boolean;
  readonly maxInclusive: boolean;
}

/** By bytes, as terms are ordered; what is empty compares with nothing. */
export function isBetween(place: FieldPlace, bounds: TextBounds): Narrowed {
  const { min, max, minInclusive, maxInclusive } = bounds;
  const range = {
    ...(min === undefined ? {} : { [minInclusive ? "gte" : "gt"]: min }),
    ...(max === undefined ? {} : { [maxInclusive ? "lte" : "lt"]: max }),
  };
  const within: Clause = { range: { [place.exact]: range } };
  return place.withIgnored(exactly(allClauses([within, negated(isTerm(place, ""))])));
}

/** `error`, `"disk is full"`, `err*`. Exact when the text is one word: others may be parted by something else. */
export function hasPhrase(place: FieldPlace, text: string, isPrefix: boolean): Narrowed {
  const last = isPrefix ? lastWordOf(text) : "";
  const clauses = [hasAdjoining(place, text.slice(0, text.length - last.length))];
  if (last !== "" && last.length <= wordLengthMax) {
    clauses.push({ prefix: { [place.words]: { value: last } } });
  }
  return ofWords(place, text, allClauses(clauses));
}

/** The clause that the words of a text follow each other in the value, whatever stands between them. */
function hasAdjoining(place: FieldPlace, text: string): Clause {
  const words = text.match(wordRuns) ?? [];
  const isOrdered = words.length > 1 && words.length <= wordsPerLeafMax;
  if (!isOrdered || words.some((word) => word.length > wordLengthMax))
    return hasWords(place, words);
  return { match_phrase: { [place.words]: { query: words.join(" ") } } };
}

/** As `kit/src/tokens.ts` has words, each as often as it is there. */
const wordRuns = /[\w\u0080-\u{10ffff}]+/gu;

/** `i(error)`, `i(err*)`: words of ASCII only, since others change their length with their case. */
export function hasPhraseAnyCase(place: FieldPlace, text: string, isPrefix: boolean): Narrowed {
  const whole = certainWords(text, { start: false, end: isPrefix }).filter(isPlainWord);
  const last = isPrefix ? lastWordOf(text) : "";
  const patterns = whole.slice(0, wordsPerLeafMax).map((word) => anyCase(word, false));
  if (isPlainWord(last)) patterns.push(anyCase(last, true));
  const clauses = patterns.map((value): Clause => ({ regexp: { [place.words]: { value } } }));
  return ofWords(place, isPlainWord(text) ? text : "", allClauses(clauses));
}

/** `*rro*`. */
export function hasSubstring(place: FieldPlace, text: string): Narrowed {
  if (isWord(text)) {
    return ofWords(place, text, { wildcard: { [place.words]: { value: `*${text}*` } } });
  }
  return ofWords(place, "", hasWords(place, certainWords(text, { start: true, end: true })));
}

/** `~"re"`: by the words that every match has. */
export function hasMatch(place: FieldPlace, source: string): Narrowed {
  const pattern = new Pattern(source);
  if (pattern.test("")) return unknown;
  const { literal } = pattern;
  const texts = literal === undefined ? [] : [literal.text, ...literal.others];
  const words = texts.flatMap((text) => certainWords(text, { start: true, end: true }));
  return ofWords(place, "", hasWords(place, words));
}

/** Some value that is not empty: all that is known of numbers and addresses, which are kept as texts. */
export function hasSomeValue(place: FieldPlace): Narrowed {
  return { may: hasValue(place).may, must: "none" };
}

/** A condition on words: exact when what is asked for is one word, and not too long to be kept as one. */
function ofWords(place: FieldPlace, text: string, clause: Clause): Narrowed {
  if (clause === "all") return hasSomeValue(place);
  return place.withIgnored(isWord(text) ? exactly(clause) : atMost(clause));
}

/** The clause that the value has these words, as far as words are kept; more than some narrow nothing any more. */
function hasWords(place: FieldPlace, words: readonly string[]): Clause {
  const kept = [...new Set(words)].filter((word) => word.length <= wordLengthMax);
  return allClauses(
    kept.slice(0, wordsPerLeafMax).map((word) => ({ term: { [place.words]: { value: word } } })),
  );
}

function isTerm(place: FieldPlace, value: string): Clause {
  return { term: { [place.exact]: { value } } };
}

function isWord(text: string): boolean {
  return text !== "" && text.length <= wordLengthMax && wordsOf(text)[0] === text;
}

function isPlainWord(text: string): boolean {
  return /^\w+$/.test(text) && text.length <= wordLengthMax;
}

/** The run of word characters at the end of a text, perhaps empty. */
function lastWordOf(text: string): string {
  return /[\w\u0080-\u{10ffff}]*$/u.exec(text)?.[0] ?? "";
}

/** A pattern for words that are the same but for their case, among letters of ASCII. */
function anyCase(word: string, isPrefix: boolean): string {
  const letters = [...word.toLowerCase()].map((letter, i) => {
    if (!/[a-z]/.test(letter)) return letter;
    // Beyond ASCII the Kelvin sign has the small letter k; that of the dotted I begins with an i.
    const kelvin = letter === "k" ? "\u212a" : "";
    const dotted = letter === "i" && isPrefix && i === word.length - 1 ? "\u0130" : "";
    return `[${letter}${letter.toUpperCase()}${kelvin}${dotted}]`;
  });
  return letters.join("") + (isPrefix ? ".*" : "");
}
