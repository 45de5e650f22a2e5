import type { StatsName } from "./ast.ts";

/** Every function that `stats` knows. */
export const statsNames: readonly StatsName[] = [
  "avg",
  "count",
  "count_empty",
  "count_uniq",
  "count_uniq_hash",
  "histogram",
  "json_values",
  "max",
  "median",
  "min",
  "quantile",
  "rate",
  "rate_sum",
  "row_any",
  "row_max",
  "row_min",
  "sum",
  "sum_len",
  "uniq_values",
  "values",
];
