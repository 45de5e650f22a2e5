import type { ExtractPattern, ExtractPipe } from "./ast.ts";
import type { Lexer, Token } from "./lexer.ts";
import { parseCondition } from "./parse-stats.ts";
import { takeField, takeText, takeWriteOptions } from "./parse-values.ts";
import { splitPlaceholders } from "./placeholders.ts";

/** What follows `extract`: `if (…) "pattern" from field keep_original_fields skip_empty_results`. */
export function parseExtract(lexer: Lexer): ExtractPipe {
  let filter = lexer.takeWord("if") ? parseCondition(lexer) : undefined;
  const token = takeText(lexer, 'a pattern in quotes, such as "user=<user> "');
  const pattern = parsePattern(lexer, token);
  const from = lexer.takeWord("from") ? takeField(lexer) : "_msg";
  const options = takeWriteOptions(lexer);
  if (filter === undefined && lexer.takeWord("if")) filter = parseCondition(lexer);
  return { kind: "extract", pattern, from, filter, ...options };
}

function parsePattern(lexer: Lexer, token: Token): ExtractPattern {
  const { steps, tail } = splitPlaceholders(lexer, token);
  if (steps.some(({ literal }, i) => i > 0 && literal === "")) {
    throw lexer.error(token, "two placeholders have no text between them", {
      expected: "a text that ends the first",
    });
  }
  const named = steps.map(({ literal, inner }) => ({ literal, ...placeholder(inner) }));
  if (!named.some(({ field }) => field !== undefined)) {
    throw lexer.error(token, "the pattern names no field", {
      expected: "a placeholder such as <user>",
    });
  }
  return { steps: named, tail };
}

function placeholder(text: string): { field: string | undefined; plain: boolean } {
  const plain = text.startsWith("plain:");
  const field = (plain ? text.slice("plain:".length) : text).trim();
  return { field: field === "" || field === "_" ? undefined : field, plain };
}
