import type { MathNode } from "./math-node.ts";
import { quoted } from "./string-literal.ts";

/** The expression as text that reads back as the same; every inner operation stands in parentheses. */
export function printMath(node: MathNode): string {
  switch (node.kind) {
    case "number":
      return printNumber(node.value);
    case "field":
      return printMathField(node.field);
    case "negate":
      return `-${operand(node.operand)}`;
    case "binary":
      return `${operand(node.left)} ${node.op} ${operand(node.right)}`;
    case "call":
      return `${node.name}(${node.args.map(printMath).join(", ")})`;
  }
}

function operand(node: MathNode): string {
  const isSigned = node.kind === "number" && node.value < 0;
  const isOpen = node.kind === "binary" || node.kind === "negate" || isSigned;
  return isOpen ? `(${printMath(node)})` : printMath(node);
}

function printNumber(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return value > 0 ? "inf" : "-inf";
}

/** Names that read as numbers, functions or keywords stand in quotes. */
function printMathField(field: string): string {
  const isPlain = /^[A-Za-z_][A-Za-z0-9_.]*$/.test(field);
  return isPlain && !/^(?:as|default|or|xor|inf(?:inity)?)$/i.test(field) ? field : quoted(field);
}
