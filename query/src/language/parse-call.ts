import type { FilterNode } from "./ast.ts";
import { type Lexer, type Token, unexpected } from "./lexer.ts";
import { valuesMax } from "./limits.ts";
import { parseIpv4, parseNumeric } from "./numeric.ts";
import { closest } from "./syntax-error.ts";

const names = [
  "range",
  "string_range",
  "len_range",
  "ipv4_range",
  "in",
  "contains_any",
  "contains_all",
  "seq",
  "exact",
  "i",
] as const;

/** `field:in(a, b)` and the like; the name was taken, its bracket is next. */
export function parseCall(lexer: Lexer, field: string, name: Token): FilterNode {
  switch (name.text.toLowerCase() as (typeof names)[number]) {
    case "in":
      return { kind: "in", field, values: parseValues(lexer) };
    case "contains_any":
      return { kind: "containsAny", field, values: parseValues(lexer) };
    case "contains_all":
      return { kind: "containsAll", field, values: parseValues(lexer) };
    case "seq":
      return { kind: "sequence", field, values: parseValues(lexer) };
    case "exact": {
      const [value] = parseCount(lexer, name, 1);
      return { kind: "exact", field, value: value as string };
    }
    case "i":
      return parseIgnoreCase(lexer, field);
    case "range":
      return parseRange(lexer, field);
    case "string_range": {
      const [min, max] = parseCount(lexer, name, 2);
      return { kind: "stringRange", field, min: min as string, max: max as string };
    }
    case "len_range": {
      const [min, max] = parseCount(lexer, name, 2).map((text) => numberOf(lexer, name, text));
      return { kind: "lengthRange", field, min: min as number, max: max as number };
    }
    case "ipv4_range":
      return parseIpv4Range(lexer, field, name);
    default:
      throw unknown(lexer, name);
  }
}

function unknown(lexer: Lexer, name: Token) {
  return lexer.error(name, `there is no filter ${name.text.slice(0, 40)}(…)`, {
    expected: `one of ${names.join(", ")}`,
    suggestion: closest(name.text, names),
  });
}

/** `(a, "b c", d)`. */
function parseValues(lexer: Lexer): string[] {
  lexer.expect("(");
  const values: string[] = [];
  while (!lexer.take(")")) {
    if (values.length > 0) lexer.expect(",", "value", { expected: '"," or ")"' });
    const token = lexer.next("value");
    if (token.kind !== "word" && token.kind !== "string") {
      throw lexer.error(token, unexpected(token), { expected: "a value" });
    }
    if (values.length === valuesMax) {
      throw lexer.error(token, "the list is too long", { expected: `at most ${valuesMax} values` });
    }
    values.push(token.text);
  }
  return values;
}

function parseCount(lexer: Lexer, name: Token, count: number): string[] {
  const values = parseValues(lexer);
  if (values.length === count) return values;
  const word = count === 1 ? "argument" : "arguments";
  throw lexer.error(name, `${name.text} takes ${count} ${word}`, { expected: `${count} ${word}` });
}

function parseIgnoreCase(lexer: Lexer, field: string): FilterNode {
  lexer.expect("(");
  const token = lexer.next("value");
  if ((token.kind !== "word" && token.kind !== "string") || token.text === "") {
    throw lexer.error(token, unexpected(token), { expected: "a word or a quoted phrase" });
  }
  const isPrefix = lexer.take("*");
  lexer.expect(")");
  return { kind: isPrefix ? "prefix" : "phrase", field, text: token.text, ignoreCase: true };
}

function parseRange(lexer: Lexer, field: string): FilterNode {
  const open = lexer.next();
  if (open.kind !== "mark" || (open.text !== "(" && open.text !== "[")) {
    throw lexer.error(open, unexpected(open), { expected: '"(" or "["' });
  }
  const min = parseEnd(lexer);
  lexer.expect(",", "value");
  const max = parseEnd(lexer);
  const close = lexer.next();
  if (close.kind !== "mark" || (close.text !== ")" && close.text !== "]")) {
    throw lexer.error(close, unexpected(close), { expected: '")" or "]"' });
  }
  return {
    kind: "range",
    field,
    min,
    max,
    minInclusive: open.text === "[",
    maxInclusive: close.text === "]",
  };
}

function parseEnd(lexer: Lexer): string {
  const token = lexer.next("value");
  const isText = token.kind === "word" || token.kind === "string";
  if (isText && parseNumeric(token.text) !== undefined) return token.text;
  throw lexer.error(token, isText ? `${token.text.slice(0, 40)} is no number` : unexpected(token), {
    expected: "a number, as 10, 1.5KiB, 5ms or Inf",
  });
}

/** `ipv4_range(10.0.0.0/8)`, `(10.0.0.1, 10.0.0.9)`, or one address. */
function parseIpv4Range(lexer: Lexer, field: string, name: Token): FilterNode {
  const values = parseValues(lexer);
  const [first = "", second] = values;
  const [base = "", bits] = first.split("/");
  const min = parseIpv4(base);
  const max = second === undefined ? undefined : parseIpv4(second);
  if (min === undefined || values.length > 2 || (second !== undefined && max === undefined)) {
    throw lexer.error(name, "ipv4_range takes addresses", {
      expected: "10.0.0.0/8 or 10.0.0.1, 10.0.0.9",
    });
  }
  if (max !== undefined) return { kind: "ipv4Range", field, min, max };
  if (bits === undefined) return { kind: "ipv4Range", field, min, max: min };
  const length = /^\d{1,2}$/.test(bits) ? Number(bits) : Number.NaN;
  if (!(length <= 32)) {
    throw lexer.error(name, "the prefix of an address is 0 to 32 bits long", {
      expected: "as 10.0.0.0/8",
    });
  }
  const size = 2 ** (32 - length);
  const from = Math.floor(min / size) * size;
  return { kind: "ipv4Range", field, min: from, max: from + size - 1 };
}

function numberOf(lexer: Lexer, name: Token, text: string): number {
  const number = parseNumeric(text);
  if (number !== undefined) return number;
  throw lexer.error(name, `${text.slice(0, 40)} is no number`, { expected: "a number" });
}
