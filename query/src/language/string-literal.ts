import { type SyntaxHint, syntaxError } from "./syntax-error.ts";

/** A quoted text and the offset after its closing quote. */
export interface StringLiteral {
  readonly value: string;
  readonly end: number;
}

const simpleEscapes: Readonly<Record<string, string>> = {
  n: "\n",
  r: "\r",
  t: "\t",
  a: "\u0007",
  b: "\b",
  f: "\f",
  v: "\v",
  "0": "\0",
  "\\": "\\",
  '"': '"',
  "'": "'",
  "/": "/",
};

const hexLengths: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };

/**
 * Reads the quoted text that starts at `start`: between double or single quotes with escapes as in
 * JSON and Go, between backticks as it stands.
 */
export function readStringLiteral(source: string, start: number): StringLiteral {
  const quote = source[start] as string;
  if (quote === "`") {
    const end = source.indexOf("`", start + 1);
    if (end < 0) throw unclosed(source, start, quote);
    return { value: source.slice(start + 1, end), end: end + 1 };
  }
  let value = "";
  let at = start + 1;
  for (;;) {
    const char = source[at];
    if (char === undefined) throw unclosed(source, start, quote);
    if (char === quote) return { value, end: at + 1 };
    if (char !== "\\") {
      value += char;
      at++;
      continue;
    }
    const escaped = readEscape(source, at);
    value += escaped.value;
    at = escaped.end;
  }
}

function readEscape(source: string, start: number): StringLiteral {
  const letter = source[start + 1] ?? "";
  const simple = simpleEscapes[letter];
  if (simple !== undefined) return { value: simple, end: start + 2 };
  const length = hexLengths[letter];
  if (length === undefined) throw badEscape(source, start, letter);
  const end = start + 2 + length;
  const digits = source.slice(start + 2, end);
  const code = /^[0-9a-fA-F]+$/.test(digits) ? Number.parseInt(digits, 16) : Number.NaN;
  if (digits.length < length || !(code <= 0x10ffff)) throw badEscape(source, start, letter);
  if (letter === "x" && code > 0x7f) {
    const suggestion = `\\u00${digits}`;
    throw syntaxError(source, start, "a byte beyond ASCII is written as a code point", {
      suggestion,
    });
  }
  return { value: String.fromCodePoint(code), end };
}

function badEscape(source: string, start: number, letter: string) {
  const hint: SyntaxHint = {
    expected: "one of \\n \\r \\t \\\\ \\\" \\' \\xNN \\uNNNN \\UNNNNNNNN",
    // The usual cause: a regex in double quotes.
    suggestion: `write \\\\${letter}, or put the text between backticks`,
  };
  return syntaxError(source, start, "unknown escape in a quoted text", hint);
}

function unclosed(source: string, start: number, quote: string) {
  return syntaxError(source, start, "the quoted text is not closed", {
    expected: `a closing ${quote}`,
  });
}

/** The text between double quotes, so that reading it gives the same text. */
export function quoted(text: string): string {
  return JSON.stringify(text);
}
