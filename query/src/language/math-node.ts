/** An arithmetic expression over the numbers in fields. What is no number is NaN. */
export type MathNode =
  | { readonly kind: "number"; readonly value: number }
  | { readonly kind: "field"; readonly field: string }
  /** Never of a number: `-5` is the number −5. */
  | { readonly kind: "negate"; readonly operand: MathNode }
  | {
      readonly kind: "binary";
      readonly op: MathOperator;
      readonly left: MathNode;
      readonly right: MathNode;
    }
  | { readonly kind: "call"; readonly name: MathFunctionName; readonly args: readonly MathNode[] };

/** `default` gives its right side where the left is NaN. */
export type MathOperator = "^" | "*" | "/" | "%" | "+" | "-" | "&" | "xor" | "or" | "default";

/**
 * `min` and `max` take one or more arguments and pass over NaN; `round` one, or a step as its second; `now` (ns since 1970,
 * put in with the times that count from now) and `rand` none.
 */
export type MathFunctionName =
  | "abs"
  | "ceil"
  | "exp"
  | "floor"
  | "ln"
  | "max"
  | "min"
  | "now"
  | "rand"
  | "round"
  | "sqrt";
