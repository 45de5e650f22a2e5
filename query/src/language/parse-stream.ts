import { checkRegex } from "../regex/pattern.ts";
import type { FilterNode, LabelMatcher } from "./ast.ts";
import { type Lexer, type Token, unexpected } from "./lexer.ts";
import { parseValues } from "./parse-values.ts";

/** `{label op value, … or …}`; the opening brace has been taken. `{}` matches every row. */
export function parseStreamSelector(lexer: Lexer): FilterNode {
  if (lexer.take("}")) return { kind: "any" };
  const groups: LabelMatcher[][] = [];
  do {
    const group: LabelMatcher[] = [];
    do group.push(parseMatcher(lexer));
    while (lexer.take(","));
    groups.push(group);
  } while (lexer.takeWord("or"));
  lexer.expect("}", "filter", { expected: '",", "or" or "}"' });
  return { kind: "stream", groups };
}

function parseMatcher(lexer: Lexer): LabelMatcher {
  const label = lexer.next("value");
  if (label.kind !== "word" && label.kind !== "string") {
    throw lexer.error(label, unexpected(label), { expected: "a label's name" });
  }
  if (lexer.takeWord("in")) return { label: label.text, op: "in", values: valueList(lexer) };
  if (lexer.takeWord("not_in")) {
    return { label: label.text, op: "not_in", values: valueList(lexer) };
  }
  const { op, at } = takeOperator(lexer);
  const value = lexer.next("value");
  if (value.kind !== "word" && value.kind !== "string") {
    throw lexer.error(value, unexpected(value), { expected: "the label's value in quotes" });
  }
  if (op === "=~" || op === "!~") checkRegex(value.text, (message) => lexer.error(at, message));
  return { label: label.text, op, value: value.text };
}

const operators = ["=", "!=", "=~", "!~"] as const;

function takeOperator(lexer: Lexer): { op: (typeof operators)[number]; at: Token } {
  const token = lexer.next();
  const op = operators.find((each) => token.kind === "mark" && each === token.text);
  if (op !== undefined) return { op, at: lexer.peek("value") };
  const suggestion = token.text === ":" ? "=" : undefined;
  throw lexer.error(token, unexpected(token), {
    expected: 'one of "=", "!=", "=~", "!~", "in", "not_in"',
    suggestion,
  });
}

function valueList(lexer: Lexer): readonly string[] {
  lexer.expect("(");
  return parseValues(lexer);
}
