import type { FieldSelector } from "./ast.ts";
import { type Lexer, type Token, unexpected } from "./lexer.ts";

/** A word or a quoted text. */
export function takeText(lexer: Lexer, expected: string): Token {
  const token = lexer.next("value");
  if (token.kind === "word" || token.kind === "string") return token;
  throw lexer.error(token, unexpected(token), { expected });
}

/** A field's name; the empty one means `_msg`. */
export function takeField(lexer: Lexer): string {
  const { text } = takeText(lexer, "a field's name");
  return text === "" ? "_msg" : text;
}

/** `a, "b")`: values up to the closing parenthesis; the opening one has been taken. */
export function parseValues(lexer: Lexer): readonly string[] {
  const values: string[] = [];
  if (lexer.take(")", "value")) return values;
  do values.push(takeText(lexer, "a value").text);
  while (lexer.take(",", "value"));
  closeValues(lexer);
  return values;
}

function closeValues(lexer: Lexer): void {
  if (lexer.take(")", "value")) return;
  const token = lexer.peek("value");
  const isQuery = token.text === "|" || token.text === ":" || token.kind !== "mark";
  throw lexer.error(token, unexpected(token), {
    expected: '"," or ")"',
    suggestion: isQuery && token.kind !== "end" ? "put values between quotes" : undefined,
  });
}

/** `a, b)` or `a, b` or nothing but `)`: names of fields, in parentheses or not. */
export function parseFieldList(lexer: Lexer): readonly string[] {
  const fields: string[] = [];
  if (!lexer.take("(")) {
    do fields.push(takeField(lexer));
    while (lexer.take(","));
    return fields;
  }
  do {
    fields.push(takeField(lexer));
  } while (lexer.take(","));
  lexer.expect(")", "filter", { expected: '"," or ")"' });
  return fields;
}

/** A whole number from 0. */
export function takeCount(lexer: Lexer, max: number): number {
  const token = lexer.next("value");
  const digits = token.text.replaceAll("_", "");
  const count = token.kind === "word" && /^\d+$/.test(digits) ? Number(digits) : Number.NaN;
  if (count <= max) return count;
  const isNegative = /^-\d/.test(token.text);
  throw lexer.error(token, isNegative ? "this number is negative" : "this is no whole number", {
    expected: "a whole number such as 10",
  });
}

/** `a, b.*` or `(a, b.*)`; at least one. */
export function parseSelectors(lexer: Lexer): readonly FieldSelector[] {
  const selectors: FieldSelector[] = [];
  const isEnclosed = lexer.take("(");
  do selectors.push(parseSelector(lexer));
  while (lexer.take(","));
  if (isEnclosed) lexer.expect(")", "filter", { expected: '"," or ")"' });
  return selectors;
}

function parseSelector(lexer: Lexer): FieldSelector {
  if (lexer.take("*")) return { name: "", prefix: true };
  const name = takeField(lexer);
  return lexer.seesAdjacent("*") && lexer.take("*")
    ? { name, prefix: true }
    : { name, prefix: false };
}

/** `keep_original_fields` and `skip_empty_results`, in any order. */
export function takeWriteOptions(lexer: Lexer): {
  readonly keepOriginal: boolean;
  readonly skipEmpty: boolean;
} {
  let [keepOriginal, skipEmpty] = [false, false];
  for (;;) {
    if (lexer.takeWord("keep_original_fields")) keepOriginal = true;
    else if (lexer.takeWord("skip_empty_results")) skipEmpty = true;
    else return { keepOriginal, skipEmpty };
  }
}
