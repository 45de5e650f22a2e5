import type { FilterNode, Query } from "./ast.ts";
import { type Lexer, type Token, unexpected } from "./lexer.ts";
import { parseIpv4, parseNumeric } from "./numeric.ts";
import { parseValues, takeField, takeText } from "./parse-values.ts";
import { subqueryField } from "./subquery.ts";
import { closest } from "./syntax-error.ts";

type Parse = (lexer: Lexer, field: string) => FilterNode;

const parsers: Readonly<Record<string, Parse>> = {
  in: list("in"),
  contains_any: list("containsAny"),
  contains_all: list("containsAll"),
  seq: list("sequence"),
  range: parseNumberRange,
  ipv4_range: parseIpv4Range,
  string_range: parseStringRange,
  len_range: parseLengthRange,
  exact: parseExactly,
  i: parseIgnoringCase,
  eq_field: compareField("eq"),
  le_field: compareField("le"),
  lt_field: compareField("lt"),
  value_type: parseValueType,
};

/** Names that stand before a parenthesis in a filter. */
export const filterFunctions: readonly string[] = Object.keys(parsers);

export function isFilterFunction(name: string): boolean {
  return Object.hasOwn(parsers, name.toLowerCase());
}

export function closestFunction(name: string): string | undefined {
  return closest(name, filterFunctions);
}

/** `name(…)`; the name has been taken and is one of ours. */
export function parseFilterFunction(lexer: Lexer, field: string, name: Token): FilterNode {
  const parse = parsers[name.text.toLowerCase()] as Parse;
  if (lexer.sees("[") && parse !== parseNumberRange) lexer.expect("(");
  return parse(lexer, field);
}

function list(kind: "in" | "containsAny" | "containsAll" | "sequence"): Parse {
  return (lexer, field) => {
    lexer.expect("(");
    if (/^\s*\*\s*\)/.test(lexer.source.slice(lexer.position))) {
      lexer.next("value");
      lexer.expect(")", "value");
      return { kind: "any" };
    }
    if (kind === "sequence") return { kind, field, values: parseValues(lexer) };
    return lexer.attempt<FilterNode>(
      () => ({ kind, field, values: parseValues(lexer) }),
      (thrown) => ({ kind: "subquery", field, test: kind, query: parseSubquery(lexer, thrown) }),
    );
  };
}

/** What is no list of values may be a query; `noValues` is why it is no list. */
function parseSubquery(lexer: Lexer, noValues: unknown): Query {
  const start = lexer.peek();
  const query = lexer.attempt(
    () => {
      const inner = lexer.innerQuery(lexer);
      lexer.expect(")", "filter", { expected: '"|" or ")"' });
      return inner;
    },
    (thrown) => {
      // Without a pipe it is a list of values that has gone wrong.
      throw lexer.source.slice(start.start).includes("|") ? thrown : noValues;
    },
  );
  if (subqueryField(query) !== undefined) return query;
  if (query.pipes.length === 0) throw noValues;
  throw lexer.error(start, "a query within a filter gives the values of one field", {
    expected: "| fields name or | uniq by (name) at its end",
  });
}

function compareField(op: "eq" | "le" | "lt"): Parse {
  return (lexer, field) => {
    lexer.expect("(");
    const other = takeField(lexer);
    lexer.expect(")");
    return { kind: "compareField", field, op, other };
  };
}

function parseValueType(lexer: Lexer, field: string): FilterNode {
  lexer.expect("(");
  const type = takeText(lexer, "a type such as dict").text;
  lexer.expect(")");
  return { kind: "valueType", field, type };
}

function parseNumberRange(lexer: Lexer, field: string): FilterNode {
  const open = lexer.next();
  const min = takeNumber(lexer);
  lexer.expect(",", "value");
  const max = takeNumber(lexer);
  const close = lexer.next();
  if (close.kind !== "mark" || (close.text !== ")" && close.text !== "]")) {
    throw lexer.error(close, unexpected(close), { expected: '")" or "]"' });
  }
  const minInclusive = open.text === "[";
  const maxInclusive = close.text === "]";
  return { kind: "range", field, min, max, minInclusive, maxInclusive };
}

function takeNumber(lexer: Lexer): string {
  const token = takeText(lexer, "a number");
  if (parseNumeric(token.text) !== undefined) return token.text;
  throw lexer.error(token, "this is no number", {
    expected: "a number such as 10, 1.5, 10KiB, 5ms or Inf",
  });
}

function parseIpv4Range(lexer: Lexer, field: string): FilterNode {
  lexer.expect("(");
  const token = takeText(lexer, "an IPv4 address");
  const [address = "", bits] = token.text.split("/");
  const first = parseIpv4(address);
  const isBits = bits === undefined || (/^\d{1,2}$/.test(bits) && Number(bits) <= 32);
  if (first === undefined || !isBits) throw noAddress(lexer, token);
  if (bits !== undefined || !lexer.take(",", "value")) {
    lexer.expect(")");
    const size = 2 ** (32 - Number(bits ?? 32));
    const min = Math.floor(first / size) * size;
    return { kind: "ipv4Range", field, min, max: min + size - 1 };
  }
  const last = takeText(lexer, "an IPv4 address");
  const max = parseIpv4(last.text);
  if (max === undefined) throw noAddress(lexer, last);
  lexer.expect(")");
  return { kind: "ipv4Range", field, min: first, max };
}

function noAddress(lexer: Lexer, token: Token) {
  return lexer.error(token, "this is no IPv4 address", {
    expected: "an address such as 10.0.0.1, or a network such as 10.0.0.0/8",
  });
}

function parseStringRange(lexer: Lexer, field: string): FilterNode {
  lexer.expect("(");
  const min = takeText(lexer, "a text").text;
  lexer.expect(",", "value");
  const max = takeText(lexer, "a text").text;
  lexer.expect(")");
  return { kind: "stringRange", field, min, max };
}

function parseLengthRange(lexer: Lexer, field: string): FilterNode {
  lexer.expect("(");
  const min = takeLength(lexer);
  lexer.expect(",", "value");
  const max = takeLength(lexer);
  lexer.expect(")");
  return { kind: "lengthRange", field, min, max };
}

function takeLength(lexer: Lexer): number {
  const token = takeText(lexer, "a length");
  const length = parseNumeric(token.text);
  if (length !== undefined && length >= 0 && (length === Infinity || Number.isInteger(length))) {
    return length;
  }
  throw lexer.error(token, "this is no length", { expected: "a whole number from 0, or Inf" });
}

/** `exact("x")` and `exact("x"*)`, the older forms of `="x"` and `="x"*`. */
function parseExactly(lexer: Lexer, field: string): FilterNode {
  lexer.expect("(");
  const value = takeText(lexer, "the whole value").text;
  const isPrefix = lexer.take("*", "value");
  lexer.expect(")");
  if (value === "") return isPrefix ? { kind: "any" } : { kind: "empty", field };
  return { kind: isPrefix ? "exactPrefix" : "exact", field, value };
}

function parseIgnoringCase(lexer: Lexer, field: string): FilterNode {
  lexer.expect("(");
  const token = takeText(lexer, "a word or a quoted phrase");
  const isPrefix = lexer.take("*", "value");
  lexer.expect(")");
  const { text } = token;
  if (text === "") return isPrefix ? { kind: "exists", field } : { kind: "empty", field };
  return { kind: isPrefix ? "prefix" : "phrase", field, text, ignoreCase: true };
}
