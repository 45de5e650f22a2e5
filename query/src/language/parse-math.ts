import { type Lexer, type Token, unexpected } from "./lexer.ts";
import type { MathFunctionName, MathNode, MathOperator } from "./math-node.ts";
import { parseNumeric } from "./numeric.ts";
import { closest } from "./syntax-error.ts";

const functions: readonly MathFunctionName[] = [
  "abs",
  "ceil",
  "exp",
  "floor",
  "ln",
  "max",
  "min",
  "round",
  "sqrt",
];

/** From weakest to strongest; `^` stands apart since it binds to the right. */
const levels: readonly (readonly MathOperator[])[] = [["default"], ["+", "-"], ["*", "/", "%"]];

/** An arithmetic expression: `(a + b) * 100 / max(c, 1)`. */
export function parseMath(lexer: Lexer, level = 0): MathNode {
  const operators = levels[level];
  if (operators === undefined) return parsePower(lexer);
  let left = parseMath(lexer, level + 1);
  for (;;) {
    const op = takeOperator(lexer, operators);
    if (op === undefined) return left;
    left = { kind: "binary", op, left, right: parseMath(lexer, level + 1) };
  }
}

function takeOperator(lexer: Lexer, operators: readonly MathOperator[]): MathOperator | undefined {
  const { kind, text } = lexer.peek("math");
  const word = kind === "word" ? text.toLowerCase() : text;
  if (kind !== "mark" && word !== "default") return undefined;
  const found = operators.find((each) => each === word);
  if (found !== undefined) lexer.next("math");
  return found;
}

function parsePower(lexer: Lexer): MathNode {
  const left = parseUnary(lexer);
  if (!lexer.take("^", "math")) return left;
  return { kind: "binary", op: "^", left, right: lexer.nested(() => parsePower(lexer)) };
}

function parseUnary(lexer: Lexer): MathNode {
  if (lexer.take("-", "math")) {
    const operand = lexer.nested(() => parseUnary(lexer));
    return operand.kind === "number"
      ? { kind: "number", value: -operand.value }
      : { kind: "negate", operand };
  }
  if (lexer.take("+", "math")) return lexer.nested(() => parseUnary(lexer));
  if (lexer.take("(", "math")) {
    const inner = lexer.nested(() => parseMath(lexer));
    lexer.expect(")", "math");
    return inner;
  }
  const token = lexer.next("math");
  if (token.kind === "string") return { kind: "field", field: token.text };
  if (token.kind !== "word") {
    throw lexer.error(token, unexpected(token), { expected: "a number, a field or (" });
  }
  if (lexer.sees("(", "math")) return parseFunction(lexer, token);
  const value = /^[\d.]|^inf$/i.test(token.text) ? parseNumeric(token.text) : undefined;
  return value === undefined ? { kind: "field", field: token.text } : { kind: "number", value };
}

function parseFunction(lexer: Lexer, name: Token): MathNode {
  const found = functions.find((each) => each === name.text.toLowerCase());
  if (found === undefined) {
    throw lexer.error(name, `there is no function ${name.text.slice(0, 40)}`, {
      expected: `one of ${functions.join(", ")}`,
      suggestion: closest(name.text, functions),
    });
  }
  lexer.expect("(", "math");
  const args = [lexer.nested(() => parseMath(lexer))];
  while (lexer.take(",", "math")) args.push(lexer.nested(() => parseMath(lexer)));
  lexer.expect(")", "math");
  const most =
    found === "min" || found === "max" ? Number.POSITIVE_INFINITY : found === "round" ? 2 : 1;
  if (args.length > most) {
    throw lexer.error(name, `${found} takes at most ${most} arguments`, {
      expected: `${found}(a)`,
    });
  }
  return { kind: "call", name: found, args };
}
