import type { ExtractPattern, ExtractStep } from "./ast.ts";
import type { Lexer, Token } from "./lexer.ts";

/** Reads the pattern of `extract`: literal text and `<field>` placeholders by turns. */
export function parsePattern(lexer: Lexer, token: Token): ExtractPattern {
  const steps: ExtractStep[] = [];
  const { text } = token;
  let literal = "";
  let at = 0;
  for (;;) {
    const open = text.indexOf("<", at);
    const close = text.indexOf(">", open);
    if (open < 0 || close < 0) {
      if (steps.length === 0) {
        throw lexer.error(token, "the pattern has no placeholder", {
          expected: 'as "user=<user> "',
        });
      }
      return { steps, tail: unescaped(literal + text.slice(at)) };
    }
    literal += text.slice(at, open);
    if (steps.length > 0 && literal === "") {
      throw lexer.error(token, "two placeholders stand side by side", {
        expected: "text between them",
      });
    }
    const name = text.slice(open + 1, close).trim();
    const plain = name.startsWith("plain:");
    const field = plain ? name.slice("plain:".length) : name;
    const isNamed = field !== "" && field !== "_";
    steps.push({ literal: unescaped(literal), field: isNamed ? field : undefined, plain });
    literal = "";
    at = close + 1;
  }
}

/** `&lt;` and `&gt;` stand for what would begin or end a placeholder. */
function unescaped(text: string): string {
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}
