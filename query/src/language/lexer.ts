import type { ServiceError } from "../../../kit/src/errors.ts";
import type { Query } from "./ast.ts";
import { nestingMax } from "./limits.ts";
import { readStringLiteral } from "./string-literal.ts";
import { type SyntaxHint, syntaxError } from "./syntax-error.ts";

export interface Token {
  readonly kind: "word" | "string" | "mark" | "end";
  /** A word as it stands, a string without its quotes, a mark's characters. */
  readonly text: string;
  readonly start: number;
  readonly end: number;
  /** Whether white space stands before it. */
  readonly spaced: boolean;
}

/**
 * What a dash means: `filter`, before a word it negates; `value`, it belongs to the word; `math`, it is an
 * operator everywhere, as are the other signs of arithmetic.
 */
export type LexMode = "filter" | "value" | "math";

const marks = ["!=", "!~", "=~", "<=", ">=", ..."()[]{},|:*=!<>~"];
const mathMarks = [..."(),|*+-/%^&"];
const quotes = new Set(['"', "'", "`"]);

const wordEnd = /[\s"'`()[\]{},|:*=!<>~]|$/g;
const mathNumber =
  /(?:0[xXbBoO][\da-fA-F_]+|(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+(?![\w.]))?[\p{L}\d_.]*)/uy;
const mathWord = /[\p{L}\p{N}_.@$]+/uy;
const blank = /(?:\s+|#[^\n]*)*/y;

/** Reads a query's text token by token; one token ahead, and at most `nestingMax` levels deep. */
export class Lexer {
  readonly source: string;
  /** Reads a whole query within another, up to a parenthesis that it did not open. */
  readonly innerQuery: (lexer: Lexer) => Query;
  #position = 0;
  #ahead: { readonly mode: LexMode; readonly token: Token } | undefined;
  #depth = 0;

  constructor(source: string, innerQuery: (lexer: Lexer) => Query) {
    this.source = source;
    this.innerQuery = innerQuery;
  }

  /** The offset after the last token taken. */
  get position(): number {
    return this.#position;
  }

  peek(mode: LexMode = "filter"): Token {
    if (this.#ahead?.mode !== mode) this.#ahead = { mode, token: this.#read(mode) };
    return this.#ahead.token;
  }

  next(mode: LexMode = "filter"): Token {
    const token = this.peek(mode);
    this.#position = token.end;
    this.#ahead = undefined;
    return token;
  }

  /** Whether the next token is this mark. */
  sees(mark: string, mode: LexMode = "filter"): boolean {
    const { kind, text } = this.peek(mode);
    return kind === "mark" && text === mark;
  }

  /** Whether the next token is this mark and stands right after the last one. */
  seesAdjacent(mark: string): boolean {
    return this.sees(mark) && !this.peek().spaced;
  }

  take(mark: string, mode: LexMode = "filter"): boolean {
    const found = this.sees(mark, mode);
    if (found) this.next(mode);
    return found;
  }

  expect(mark: string, mode: LexMode = "filter", hint: SyntaxHint = {}): Token {
    if (this.sees(mark, mode)) return this.next(mode);
    const at = this.peek(mode);
    throw this.error(at, unexpected(at), { expected: `"${mark}"`, ...hint });
  }

  /** Whether the next token is one of these words, unquoted, in any case. */
  seesWord(...words: readonly string[]): boolean {
    const { kind, text } = this.peek();
    return kind === "word" && words.includes(text.toLowerCase());
  }

  takeWord(...words: readonly string[]): boolean {
    const found = this.seesWord(...words);
    if (found) this.next();
    return found;
  }

  /** The text up to the first character of `stops` or white space, as it stands; may be empty. */
  takeRaw(stops: string): Token {
    const { start } = this.peek();
    let end = start;
    while (end < this.source.length) {
      const char = this.source[end] as string;
      if (stops.includes(char) || /\s/.test(char)) break;
      end++;
    }
    this.#position = end;
    this.#ahead = undefined;
    return { kind: "word", text: this.source.slice(start, end), start, end, spaced: false };
  }

  /** What `read` gives; when it throws, the text is where it was and the error is handed to `otherwise`. */
  attempt<T>(read: () => T, otherwise: (thrown: unknown) => T): T {
    const [position, depth] = [this.#position, this.#depth];
    try {
      return read();
    } catch (thrown) {
      this.#position = position;
      this.#depth = depth;
      this.#ahead = undefined;
      return otherwise(thrown);
    }
  }

  /** Does what is one level deeper. */
  nested<T>(inner: () => T): T {
    if (++this.#depth > nestingMax) {
      throw this.error(this.peek(), "the query is nested too deeply", {
        expected: `at most ${nestingMax} levels`,
      });
    }
    const result = inner();
    this.#depth--;
    return result;
  }

  error(at: Token, message: string, hint: SyntaxHint = {}): ServiceError {
    return syntaxError(this.source, at.start, message, hint);
  }

  #read(mode: LexMode): Token {
    const { source } = this;
    blank.lastIndex = this.#position;
    blank.exec(source);
    const start = blank.lastIndex;
    const spaced = start > this.#position;
    const char = source[start];
    if (char === undefined) return { kind: "end", text: "", start, end: start, spaced };
    if (quotes.has(char)) {
      const { value, end } = readStringLiteral(source, start);
      return { kind: "string", text: value, start, end, spaced };
    }
    const end = mode === "math" ? undefined : this.#wordEnd(start, mode);
    if (mode === "math") {
      for (const pattern of [mathNumber, mathWord]) {
        pattern.lastIndex = start;
        const word = pattern.exec(source)?.[0];
        if (word !== undefined) {
          return { kind: "word", text: word, start, end: start + word.length, spaced };
        }
      }
    } else if (end !== undefined) {
      return { kind: "word", text: source.slice(start, end), start, end, spaced };
    }
    const known = mode === "math" ? mathMarks : [...marks, "-"];
    const mark = known.find((each) => source.startsWith(each, start));
    if (mark === undefined) {
      throw syntaxError(source, start, "this character means nothing here");
    }
    return { kind: "mark", text: mark, start, end: start + mark.length, spaced };
  }

  /** Where the word ends that starts here; undefined when none does. */
  #wordEnd(start: number, mode: LexMode): number | undefined {
    if (mode === "filter" && this.source[start] === "-") return undefined;
    wordEnd.lastIndex = start;
    const end = wordEnd.exec(this.source)?.index ?? start;
    return end > start ? end : undefined;
  }
}

/** Says what stands where something else was expected. */
export function unexpected(token: Token): string {
  switch (token.kind) {
    case "end":
      return "the query ends too early";
    case "mark":
      return `unexpected "${token.text}"`;
    case "word":
    case "string":
      return `unexpected text "${token.text.slice(0, 40)}"`;
  }
}
