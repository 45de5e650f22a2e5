import { assert } from "../../../kit/src/assert.ts";
import type { MathAssignment, MathNode } from "../language/ast.ts";
import { mixed } from "../table/bytes-table.ts";
import { NumberColumn } from "../table/column.ts";
import { gatherMathNumbers } from "../table/math-numbers.ts";
import type { View } from "../table/view.ts";

import type { RowPipe, Rows } from "./pipe.ts";

/** `math a / b as c`: over whole columns; each assignment sees the ones before. */
export class MathPipe implements RowPipe {
  readonly #assignments: readonly MathAssignment[];

  constructor(assignments: readonly MathAssignment[]) {
    this.#assignments = assignments;
  }

  apply({ view, rows }: Rows): Rows {
    for (const { expression, as } of this.#assignments) {
      const results = evaluate(expression, view, rows);
      const numbers = new Float64Array(view.rowCount).fill(Number.NaN);
      const absent = new Uint8Array(view.rowCount).fill(1);
      for (let i = 0; i < rows.length; i++) {
        const row = rows[i] as number;
        numbers[row] = results[i] as number;
        absent[row] = 0;
      }
      view = view.with(as, new NumberColumn("rows", numbers, absent));
    }
    return { view, rows };
  }
}

/** Element i is the expression's value in row `rows[i]`. */
function evaluate(node: MathNode, view: View, rows: Uint32Array): Float64Array {
  switch (node.kind) {
    case "number":
      return new Float64Array(rows.length).fill(node.value);
    case "field": {
      const numbers = new Float64Array(rows.length);
      gatherMathNumbers(view.column(node.field), rows, numbers);
      return numbers;
    }
    case "negate":
      return evaluate(node.operand, view, rows).map((value) => -value);
    case "binary": {
      const left = evaluate(node.left, view, rows);
      const right = evaluate(node.right, view, rows);
      return binary(node.op, left, right);
    }
    case "call":
      if (node.name === "rand") return randomNumbers(rows);
      return call(
        node.name,
        node.args.map((arg) => evaluate(arg, view, rows)),
      );
  }
}

type BinaryOperator = Extract<MathNode, { readonly kind: "binary" }>["op"];
type FunctionName = Extract<MathNode, { readonly kind: "call" }>["name"];

const operators: Readonly<Record<BinaryOperator, (a: number, b: number) => number>> = {
  "^": (a, b) => a ** b,
  "*": (a, b) => a * b,
  "/": (a, b) => a / b,
  "%": (a, b) => a % b,
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "&": (a, b) => bitwise(a, b, (x, y) => x & y),
  xor: (a, b) => bitwise(a, b, (x, y) => x ^ y),
  or: (a, b) => bitwise(a, b, (x, y) => x | y),
  default: (a, b) => (Number.isNaN(a) ? b : a),
};

function binary(op: BinaryOperator, left: Float64Array, right: Float64Array): Float64Array {
  const operator = operators[op];
  return left.map((value, i) => operator(value, right[i] as number));
}

/** Of whole numbers from 0 to 2^53 − 1; NaN of others. */
function bitwise(a: number, b: number, of: (x: bigint, y: bigint) => bigint): number {
  const isWhole = Number.isSafeInteger(a) && Number.isSafeInteger(b) && a >= 0 && b >= 0;
  return isWhole ? Number(of(BigInt(a), BigInt(b))) : Number.NaN;
}

/** From 0, below 1, and the same each time: a seed of the rows' numbers. */
function randomNumbers(rows: Uint32Array): Float64Array {
  return Float64Array.from(rows, (row) => mixed(row ^ 0x9e3779b9) / 2 ** 32);
}

const functions: Readonly<
  Record<Exclude<FunctionName, "now" | "rand">, (...args: number[]) => number>
> = {
  abs: Math.abs,
  ceil: Math.ceil,
  exp: Math.exp,
  floor: Math.floor,
  ln: Math.log,
  sqrt: Math.sqrt,
  max: (...args) => extreme(args, Math.max),
  min: (...args) => extreme(args, Math.min),
  round: (value, step) => {
    const unit = step ?? 1;
    const rounded = (value as number) / unit;
    // Half goes away from zero, as people round; a multiple of 0.1 is shown with one digit.
    const multiple = Math.sign(rounded) * Math.round(Math.abs(rounded)) * unit;
    const digits = /\.(\d+)$/.exec(String(unit))?.[1]?.length ?? 0;
    return digits === 0 || Math.abs(multiple) > 1e15 ? multiple : Number(multiple.toFixed(digits));
  },
};

function call(name: FunctionName, args: readonly Float64Array[]): Float64Array {
  assert(name !== "now" && name !== "rand", "times are resolved before a query is run");
  const apply = functions[name];
  const [first] = args;
  if (first === undefined) return new Float64Array(0);
  if (args.length === 1) return first.map((value) => apply(value));
  return first.map((_, i) => apply(...args.map((arg) => arg[i] as number)));
}

function extreme(args: readonly number[], of: (...values: number[]) => number): number {
  const numbers = args.filter((value) => !Number.isNaN(value));
  return numbers.length === 0 ? Number.NaN : of(...numbers);
}
