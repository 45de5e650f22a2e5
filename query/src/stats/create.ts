import { unreachable } from "../../../kit/src/assert.ts";
import { ServiceError } from "../../../kit/src/errors.ts";
import type { StatsFunction } from "../language/ast.ts";
import type { RowPipe } from "../pipe/pipe.ts";
import { CountState } from "./count.ts";
import { ExtremeState } from "./extreme.ts";
import type { StatsState } from "./function.ts";
import { IfState } from "./if.ts";
import { QuantileState } from "./quantile.ts";
import { SumState } from "./sum.ts";
import { RowAnyState, UniqValuesState, ValuesState } from "./texts.ts";
import { CountUniqState } from "./uniq.ts";

/**
 * The state of a function; `condition` narrows to the rows of its `if (…)`. Throws `query.invalid`
 * for a function that needs fields and has none.
 */
export function createState(node: StatsFunction, condition: RowPipe | undefined): StatsState {
  const state = stateOf(node);
  return condition === undefined ? state : new IfState(state, condition);
}

function stateOf({ name, args, phi, limit }: StatsFunction): StatsState {
  switch (name) {
    case "count":
      return new CountState(args, false);
    case "count_empty":
      return new CountState(fieldsOf(name, args), true);
    case "count_uniq":
      return new CountUniqState(fieldsOf(name, args), limit);
    case "sum":
    case "avg":
      return new SumState(fieldsOf(name, args), name === "avg");
    case "min":
    case "max":
      return new ExtremeState(fieldsOf(name, args), name === "max" ? 1 : -1);
    case "median":
      return new QuantileState(0.5, fieldsOf(name, args));
    case "quantile":
      return new QuantileState(phi ?? 0.5, fieldsOf(name, args));
    case "uniq_values":
      return new UniqValuesState(fieldsOf(name, args), limit);
    case "values":
      return new ValuesState(fieldsOf(name, args), limit);
    case "row_any":
      return new RowAnyState(args);
    default:
      return unreachable(name);
  }
}

function fieldsOf(name: string, args: readonly string[]): readonly string[] {
  if (args.length > 0) return args;
  throw new ServiceError("query.invalid", "this function needs the fields to look at", {
    function: name,
  });
}
