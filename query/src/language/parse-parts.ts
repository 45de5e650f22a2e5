import type { FilterNode } from "./ast.ts";
import { type Lexer, unexpected } from "./lexer.ts";
import { parseFilter } from "./parse-filter.ts";

/** A field's name: a word or a quoted text. */
export function parseName(lexer: Lexer, expected: string): string {
  const token = lexer.next("value");
  if ((token.kind === "word" || token.kind === "string") && token.text !== "") return token.text;
  throw lexer.error(token, unexpected(token), { expected });
}

/** `(a, b)` or `a, b`. */
export function parseNames(lexer: Lexer): string[] {
  const isBracketed = lexer.take("(");
  const names = [parseName(lexer, "a field")];
  while (lexer.take(",")) names.push(parseName(lexer, "a field"));
  if (isBracketed) lexer.expect(")");
  return names;
}

/** `if (filter)`, where it stands. */
export function parseIf(lexer: Lexer): FilterNode | undefined {
  if (!lexer.takeWord("if")) return undefined;
  lexer.expect("(");
  const filter = lexer.nested(() => parseFilter(lexer));
  lexer.expect(")");
  return filter;
}
