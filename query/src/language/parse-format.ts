import type { PipeNode } from "./ast.ts";
import type { Lexer, Token } from "./lexer.ts";
import { parseCondition } from "./parse-stats.ts";
import { takeField, takeText, takeWriteOptions } from "./parse-values.ts";
import { type FormatOption, type FormatPattern, formatOptions } from "./pipe-node.ts";
import { splitPlaceholders } from "./placeholders.ts";
import { closest } from "./syntax-error.ts";

/** What follows `format`: `if (…) "<ip>:<port>" as field keep_original_fields skip_empty_results`. */
export function parseFormat(lexer: Lexer): PipeNode {
  const filter = lexer.takeWord("if") ? parseCondition(lexer) : undefined;
  const token = takeText(lexer, 'a pattern in quotes, such as "<ip>:<port>"');
  const pattern = parsePattern(lexer, token);
  const as = lexer.takeWord("as") ? takeField(lexer) : "_msg";
  return { kind: "format", pattern, as, filter, ...takeWriteOptions(lexer) };
}

function parsePattern(lexer: Lexer, token: Token): FormatPattern {
  const { steps, tail } = splitPlaceholders(lexer, token);
  return {
    steps: steps.map(({ literal, inner }) => {
      const colon = inner.indexOf(":");
      const field = inner.slice(colon + 1).trim();
      // `<:a:b>` is the field `a:b`.
      const option = colon <= 0 ? undefined : takeOption(lexer, token, inner.slice(0, colon));
      return { literal, field: field === "" ? "_msg" : field, option };
    }),
    tail,
  };
}

function takeOption(lexer: Lexer, token: Token, name: string): FormatOption {
  const option = formatOptions.find((each) => each === name.trim());
  if (option !== undefined) return option;
  throw lexer.error(token, `unknown option "${name.slice(0, 40)}" of a field to be formatted`, {
    expected: `one of ${formatOptions.join(", ")}`,
    suggestion: closest(name, formatOptions),
  });
}
