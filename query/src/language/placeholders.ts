import type { Lexer, Token } from "./lexer.ts";

/** Literal text and what stands between `<` and `>` by turns, both with `&lt;`, `&gt;`, `&amp;` read. */
export interface Placeholders {
  readonly steps: readonly { readonly literal: string; readonly inner: string }[];
  readonly tail: string;
}

/** Splits the pattern of `extract` or `format`. Throws `query.syntax` for a placeholder that is not closed. */
export function splitPlaceholders(lexer: Lexer, token: Token): Placeholders {
  const steps: { literal: string; inner: string }[] = [];
  let rest = token.text;
  for (;;) {
    const open = rest.indexOf("<");
    if (open < 0) return { steps, tail: unescaped(rest) };
    const close = rest.indexOf(">", open);
    if (close < 0) {
      throw lexer.error(token, "a placeholder is not closed", {
        expected: '">" after the field\'s name',
        suggestion: "&lt; stands for a < of the text",
      });
    }
    steps.push({
      literal: unescaped(rest.slice(0, open)),
      inner: unescaped(rest.slice(open + 1, close)),
    });
    rest = rest.slice(close + 1);
  }
}

const entities: Readonly<Record<string, string>> = { "&lt;": "<", "&gt;": ">", "&amp;": "&" };

function unescaped(text: string): string {
  return text.replaceAll(/&(?:lt|gt|amp);/g, (entity) => entities[entity] as string);
}

/** The text so that it reads back as a literal, or as a name between `<` and `>`. */
export function escapedPlaceholder(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
