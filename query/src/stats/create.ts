import { unreachable } from "../../../kit/src/assert.ts";
import { ServiceError } from "../../../kit/src/errors.ts";
import type { StatsFunction, StatsName } from "../language/ast.ts";
import type { RowPipe } from "../pipe/pipe.ts";
import { CountState } from "./count.ts";
import { ExtremeState } from "./extreme.ts";
import type { StatsState } from "./function.ts";
import { HistogramState } from "./histogram.ts";
import { IfState } from "./if.ts";
import { namesIn, PrefixedState } from "./prefixed.ts";
import { QuantileState } from "./quantile.ts";
import { RateState } from "./rate.ts";
import { JsonValuesState, type NamesOf, RowExtremeState } from "./rows.ts";
import { SumState } from "./sum.ts";
import { SumLengthState } from "./sum-length.ts";
import { RowAnyState, UniqValuesState, ValuesState } from "./texts.ts";
import { CountUniqState } from "./uniq.ts";
import { CountUniqHashState } from "./uniq-hash.ts";

/**
 * The state of a function; `condition` narrows to the rows of its `if (…)`. Throws `query.invalid`
 * for a function that needs fields and has none.
 */
export function createState(node: StatsFunction, condition: RowPipe | undefined): StatsState {
  const state = prefixedOf(node);
  return condition === undefined ? state : new IfState(state, condition);
}

/** Functions whose fields make up one thing, so that they cannot be looked at block by block. */
const tupleNames: ReadonlySet<StatsName> = new Set(["count_uniq", "count_uniq_hash", "histogram"]);

/** Functions that know themselves which fields a view has. */
const rowNames: ReadonlySet<StatsName> = new Set(["json_values", "row_max", "row_min"]);

function prefixedOf(node: StatsFunction): StatsState {
  const { name, args, prefixes } = node;
  if (prefixes === undefined || rowNames.has(name)) return stateOf(node);
  if (tupleNames.has(name)) {
    throw new ServiceError("query.invalid", "this function takes whole names of fields only", {
      function: name,
    });
  }
  const countsAbsent = name === "count_empty";
  const inner = (fields: readonly string[]) => stateOver(node, fields);
  return new PrefixedState(inner, { args, prefixes, countsAbsent });
}

function stateOf(node: StatsFunction): StatsState {
  const { name, args, prefixes = [] } = node;
  if (args.length === 0 && prefixes.length === 0 && !mayBeWithout.has(name)) {
    throw new ServiceError("query.invalid", "this function needs the fields to look at", {
      function: name,
    });
  }
  return stateOver(node, args);
}

const mayBeWithout: ReadonlySet<StatsName> = new Set([
  "count",
  "json_values",
  "rate",
  "row_any",
  "sum_len",
]);

function stateOver(node: StatsFunction, fields: readonly string[]): StatsState {
  const { name, phi, limit, seconds } = node;
  switch (name) {
    case "count":
      return new CountState(fields, false);
    case "count_empty":
      return new CountState(fields, true);
    case "count_uniq":
      return new CountUniqState(fields, limit);
    case "count_uniq_hash":
      return new CountUniqHashState(fields, limit);
    case "rate":
      return new RateState(new CountState([], false), seconds);
    case "rate_sum":
      return new RateState(new SumState(fields, false), seconds);
    case "sum":
    case "avg":
      return new SumState(fields, name === "avg");
    case "sum_len":
      return new SumLengthState(fields);
    case "min":
    case "max":
      return new ExtremeState(fields, name === "max" ? 1 : -1);
    case "median":
      return new QuantileState(0.5, fields);
    case "quantile":
      return new QuantileState(phi ?? 0.5, fields);
    case "histogram":
      return new HistogramState(fields[0] ?? "_msg");
    case "uniq_values":
      return new UniqValuesState(fields, limit);
    case "values":
      return new ValuesState(fields, limit);
    case "json_values":
      return new JsonValuesState(namesOf(fields, node), limit);
    case "row_any":
      return new RowAnyState(fields);
    case "row_max":
    case "row_min": {
      const [key = "_msg", ...shown] = fields;
      return new RowExtremeState(key, namesOf(shown, node), name === "row_max" ? 1 : -1);
    }
    default:
      return unreachable(name);
  }
}

/** The fields and the beginnings of a function that shows rows; all of a view's when there are none. */
function namesOf(fields: readonly string[], { prefixes = [] }: StatsFunction): NamesOf {
  if (fields.length === 0 && prefixes.length === 0) return (view) => view.names;
  return (view) => namesIn(view, fields, prefixes);
}
