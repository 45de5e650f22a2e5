import { compileRegex } from "../regex/regex.ts";
import type { FilterNode, LabelMatcher } from "./ast.ts";
import { type Lexer, unexpected } from "./lexer.ts";
import { valuesMax } from "./limits.ts";

/** `{service="api", host=~"h.+" or service="web"}`; the bracket is next. */
export function parseStream(lexer: Lexer): FilterNode {
  lexer.expect("{");
  if (lexer.take("}")) return { kind: "any" };
  const groups: LabelMatcher[][] = [[]];
  for (;;) {
    groups.at(-1)?.push(parseMatcher(lexer));
    if (lexer.take("}")) return { kind: "stream", groups };
    if (lexer.takeWord("or")) groups.push([]);
    else lexer.expect(",", "filter", { expected: '",", "or" or "}"' });
  }
}

function parseMatcher(lexer: Lexer): LabelMatcher {
  const label = textOf(lexer, "the name of a label");
  if (lexer.takeWord("in")) return { label, op: "in", values: parseValues(lexer) };
  if (lexer.takeWord("not_in")) return { label, op: "not_in", values: parseValues(lexer) };
  const op = lexer.next();
  switch (op.kind === "mark" ? op.text : "") {
    case "=":
    case "!=":
      return { label, op: op.text as "=", value: textOf(lexer, "the label's value") };
    case "=~":
    case "!~": {
      const at = lexer.peek("value");
      const value = textOf(lexer, "a regular expression in quotes");
      try {
        compileRegex(value);
      } catch (thrown) {
        throw lexer.error(at, thrown instanceof Error ? thrown.message : String(thrown));
      }
      return { label, op: op.text as "=~", value };
    }
    default:
      throw lexer.error(op, unexpected(op), { expected: '"=", "!=", "=~", "!~" or "in"' });
  }
}

function parseValues(lexer: Lexer): string[] {
  lexer.expect("(");
  const values: string[] = [];
  while (!lexer.take(")")) {
    if (values.length > 0) lexer.expect(",");
    if (values.length === valuesMax) {
      throw lexer.error(lexer.peek(), "the list is too long", {
        expected: `at most ${valuesMax} values`,
      });
    }
    values.push(textOf(lexer, "a value"));
  }
  return values;
}

function textOf(lexer: Lexer, expected: string): string {
  const token = lexer.next("value");
  if (token.kind === "word" || token.kind === "string") return token.text;
  throw lexer.error(token, unexpected(token), { expected });
}
