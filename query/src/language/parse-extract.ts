import type { ExtractPattern, ExtractPipe, ExtractStep } from "./ast.ts";
import type { Lexer, Token } from "./lexer.ts";
import { parseCondition } from "./parse-stats.ts";
import { takeField, takeText } from "./parse-values.ts";

/** What follows `extract`: `if (…) "pattern" from field keep_original_fields skip_empty_results`. */
export function parseExtract(lexer: Lexer): ExtractPipe {
  let filter = lexer.takeWord("if") ? parseCondition(lexer) : undefined;
  const token = takeText(lexer, 'a pattern in quotes, such as "user=<user> "');
  const pattern = parsePattern(lexer, token);
  const from = lexer.takeWord("from") ? takeField(lexer) : "_msg";
  const keepOriginal = lexer.takeWord("keep_original_fields");
  const skipEmpty = lexer.takeWord("skip_empty_results");
  if (filter === undefined && lexer.takeWord("if")) filter = parseCondition(lexer);
  return { kind: "extract", pattern, from, filter, keepOriginal, skipEmpty };
}

function parsePattern(lexer: Lexer, token: Token): ExtractPattern {
  const steps: ExtractStep[] = [];
  let rest = token.text;
  for (;;) {
    const open = rest.indexOf("<");
    if (open < 0) break;
    const close = rest.indexOf(">", open);
    if (close < 0) {
      throw lexer.error(token, "a placeholder is not closed", {
        expected: '">" after the field\'s name',
        suggestion: "&lt; stands for a < of the text",
      });
    }
    const literal = unescaped(rest.slice(0, open));
    if (steps.length > 0 && literal === "") {
      throw lexer.error(token, "two placeholders have no text between them", {
        expected: "a text that ends the first",
      });
    }
    steps.push({ literal, ...placeholder(rest.slice(open + 1, close)) });
    rest = rest.slice(close + 1);
  }
  if (!steps.some(({ field }) => field !== undefined)) {
    throw lexer.error(token, "the pattern names no field", {
      expected: "a placeholder such as <user>",
    });
  }
  return { steps, tail: unescaped(rest) };
}

function placeholder(text: string): { field: string | undefined; plain: boolean } {
  const plain = text.startsWith("plain:");
  const field = unescaped((plain ? text.slice("plain:".length) : text).trim());
  return { field: field === "" || field === "_" ? undefined : field, plain };
}

const entities: Readonly<Record<string, string>> = { "&lt;": "<", "&gt;": ">", "&amp;": "&" };

function unescaped(text: string): string {
  return text.replaceAll(/&(?:lt|gt|amp);/g, (entity) => entities[entity] as string);
}
