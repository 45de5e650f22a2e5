import { assert } from "../../kit/src/assert.ts";
import { conditionPattern } from "./rule.ts";

export type ConditionOp = ">" | ">=" | "<" | "<=" | "==" | "!=";

/** What a threshold's value is held against. */
export interface Condition {
  readonly op: ConditionOp;
  readonly bound: number;
}

/** Reads `> 5`; the text has passed the rule's schema. */
export function parseCondition(text: string): Condition {
  const match = conditionPattern.exec(text);
  assert(match !== null, "a stored rule's condition has been checked");
  return { op: match[1] as ConditionOp, bound: Number(match[2]) };
}

export function conditionHolds({ op, bound }: Condition, value: number): boolean {
  switch (op) {
    case ">":
      return value > bound;
    case ">=":
      return value >= bound;
    case "<":
      return value < bound;
    case "<=":
      return value <= bound;
    case "==":
      return value === bound;
    case "!=":
      // Of what is no number nothing holds.
      return value !== bound && !Number.isNaN(value);
  }
}
