import type { MathAssignment, MathPipe } from "./ast.ts";
import { nanosOf } from "./duration.ts";
import { type Lexer, unexpected } from "./lexer.ts";
import type { MathFunctionName, MathNode, MathOperator } from "./math-node.ts";
import { parseIpv4, parseNumeric } from "./numeric.ts";
import { takeField } from "./parse-values.ts";
import { printMath } from "./print-math.ts";
import { closest } from "./syntax-error.ts";
import { parseTimePoint } from "./time-point.ts";

/** What follows `math`: `a / b as c, …`. */
export function parseMath(lexer: Lexer): MathPipe {
  const assignments: MathAssignment[] = [];
  do {
    const expression = parseDefault(lexer);
    const token = lexer.peek("math");
    const hasAs = token.kind === "word" && token.text.toLowerCase() === "as";
    if (hasAs) lexer.next("math");
    const isNamed = hasAs || token.kind === "word" || token.kind === "string";
    assignments.push({ expression, as: isNamed ? takeField(lexer) : printMath(expression) });
  } while (lexer.take(","));
  return { kind: "math", assignments };
}

function parseDefault(lexer: Lexer): MathNode {
  let left = parseLevel(lexer, 0);
  for (;;) {
    const token = lexer.peek("math");
    if (token.kind !== "word" || token.text.toLowerCase() !== "default") return left;
    lexer.next("math");
    left = { kind: "binary", op: "default", left, right: parseLevel(lexer, 0) };
  }
}

const levels: readonly (readonly MathOperator[])[] = [
  ["or"],
  ["xor"],
  ["&"],
  ["+", "-"],
  ["*", "/", "%"],
];

/** Operators of one level, from the left. */
function parseLevel(lexer: Lexer, level: number): MathNode {
  const operators = levels[level];
  if (operators === undefined) return parseNegation(lexer);
  let left = parseLevel(lexer, level + 1);
  for (;;) {
    const op = operators.find((each) => takeOperator(lexer, each));
    if (op === undefined) return left;
    left = { kind: "binary", op, left, right: parseLevel(lexer, level + 1) };
  }
}

function takeOperator(lexer: Lexer, op: MathOperator): boolean {
  const { kind, text } = lexer.peek("math");
  const found = kind === (/[a-z]/.test(op) ? "word" : "mark") && text.toLowerCase() === op;
  if (found) lexer.next("math");
  return found;
}

function parseNegation(lexer: Lexer): MathNode {
  if (lexer.take("+", "math")) return lexer.nested(() => parseNegation(lexer));
  if (!lexer.take("-", "math")) return parsePower(lexer);
  const operand = lexer.nested(() => parseNegation(lexer));
  if (operand.kind !== "number") return { kind: "negate", operand };
  return { kind: "number", value: operand.value === 0 ? 0 : -operand.value };
}

/** From the right: `2 ^ 3 ^ 2` is `2 ^ (3 ^ 2)`. */
function parsePower(lexer: Lexer): MathNode {
  const left = parseOperand(lexer);
  if (!lexer.take("^", "math")) return left;
  return { kind: "binary", op: "^", left, right: lexer.nested(() => parseNegation(lexer)) };
}

/** Words that stand between operands. */
const mathKeywords = new Set(["as", "default", "or", "xor"]);

const expectedOperand = "a field, a number, a function or (…)";

function parseOperand(lexer: Lexer): MathNode {
  const token = lexer.next("math");
  if (token.kind === "mark" && token.text === "(") {
    const inner = lexer.nested(() => parseDefault(lexer));
    lexer.expect(")", "math", { expected: 'an operator or ")"' });
    return inner;
  }
  if (token.kind === "string") return quotedOperand(token.text);
  if (token.kind !== "word") {
    throw lexer.error(token, unexpected(token), { expected: expectedOperand });
  }
  if (lexer.sees("(", "math")) return parseCall(lexer, token);
  const value = parseNumeric(token.text);
  if (value !== undefined) return { kind: "number", value };
  const isKeyword = mathKeywords.has(token.text.toLowerCase());
  if (isKeyword || /^\d/.test(token.text)) {
    throw lexer.error(token, unexpected(token), {
      expected: expectedOperand,
      suggestion: `"${token.text}" for a field of this name`,
    });
  }
  return { kind: "field", field: token.text };
}

/** A time or an address in quotes is one; anything else is a field's name. */
function quotedOperand(text: string): MathNode {
  const value = constantOf(text);
  return value === undefined ? { kind: "field", field: text || "_msg" } : { kind: "number", value };
}

/** Nanoseconds since 1970 of a time in RFC 3339, the number of an IPv4 address. */
function constantOf(text: string): number | undefined {
  const address = parseIpv4(text);
  if (address !== undefined) return address;
  if (!/^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d/.test(text)) return undefined;
  const start = parseTimePoint(text)?.start;
  return start === undefined ? undefined : Number(nanosOf(start));
}

/** How many arguments a function takes, at least and at most. */
const arities: Readonly<Record<MathFunctionName, readonly [number, number]>> = {
  abs: [1, 1],
  ceil: [1, 1],
  exp: [1, 1],
  floor: [1, 1],
  ln: [1, 1],
  max: [1, 100],
  min: [1, 100],
  now: [0, 0],
  rand: [0, 0],
  round: [1, 2],
  sqrt: [1, 1],
};

function isFunction(name: string): name is MathFunctionName {
  return Object.hasOwn(arities, name);
}

function parseCall(lexer: Lexer, token: ReturnType<Lexer["next"]>): MathNode {
  const name = token.text.toLowerCase();
  if (!isFunction(name)) {
    throw lexer.error(token, `unknown function "${token.text.slice(0, 40)}"`, {
      expected: `one of ${Object.keys(arities).join(", ")}`,
      suggestion: closest(name, Object.keys(arities)),
    });
  }
  lexer.expect("(", "math");
  const args = lexer.nested(() => {
    const list: MathNode[] = [];
    if (lexer.sees(")", "math")) return list;
    do list.push(parseDefault(lexer));
    while (lexer.take(",", "math"));
    return list;
  });
  const [least, most] = arities[name];
  if (args.length < least || args.length > most) {
    const count = least === most ? String(least) : `${least} to ${most}`;
    throw lexer.error(token, `${name} takes another number of arguments`, { expected: count });
  }
  lexer.expect(")", "math", { expected: 'an operator, "," or ")"' });
  return { kind: "call", name, args };
}
