import { filterFunctions } from "./parse-filter-function.ts";
import { pipeNames } from "./parse-pipe.ts";
import { statsNames } from "./stats-names.ts";

/** What a place in a query takes: fixed words, fields of the store, values of one of them. */
export type ItemKind = "pipe" | "function" | "filter" | "keyword" | "field" | "value";

export interface CompletionItem {
  /** What stands there instead of what was begun. */
  readonly text: string;
  readonly kind: ItemKind;
  /** A few words about it. */
  readonly detail?: string;
}

const write = ["keep_original_fields", "skip_empty_results"];

/** The words that may follow a pipe's name, before its fields, between them or after. */
const pipeWords: Readonly<Record<string, readonly string[]>> = {
  collapse_nums: ["at", "if", "prettify"],
  copy: ["as"],
  extract: ["from", "if", ...write],
  extract_regexp: ["from", "if", ...write],
  facets: ["max_values_per_field", "max_value_len", "keep_const_fields"],
  field_values: ["limit"],
  first: ["by", "partition by", "rank"],
  format: ["as", "if", ...write],
  join: ["by", "inner", "prefix"],
  last: ["by", "partition by", "rank"],
  math: ["as"],
  pack_json: ["fields", "as"],
  pack_logfmt: ["fields", "as"],
  rename: ["as"],
  replace: ["at", "if", "limit"],
  replace_regexp: ["at", "if", "limit"],
  sort: ["by", "asc", "desc", "limit", "offset", "partition by", "rank"],
  stats: ["by", "as", "if", "limit"],
  stream_context: ["before", "after", "time_window"],
  top: ["by", "hits as", "rank"],
  uniq: ["by", "with hits", "limit"],
  unpack_json: ["from", "fields", "if", "result_prefix", ...write],
  unpack_logfmt: ["from", "fields", "if", "result_prefix", ...write],
  unpack_syslog: ["from", "if", "offset", "result_prefix", ...write],
  unpack_words: ["from", "as", "drop_duplicates"],
  unroll: ["by", "if"],
};

const aliases: Readonly<Record<string, string>> = {
  cp: "copy",
  eval: "math",
  mv: "rename",
  order: "sort",
};

const mathFunctions = ["abs", "ceil", "exp", "floor", "ln", "max", "min", "now", "rand", "round"];

export function wordsOfPipe(pipe: string): readonly CompletionItem[] {
  const words = pipeWords[aliases[pipe] ?? pipe] ?? [];
  return words.map((text) => ({ text, kind: "keyword" }));
}

export function isMath(pipe: string): boolean {
  return (aliases[pipe] ?? pipe) === "math";
}

/** Pipes that take no field of the records. */
export const fieldlessPipes: ReadonlySet<string> = new Set([
  "block_stats",
  "blocks_count",
  "drop_empty_fields",
  "facets",
  "field_names",
  "head",
  "limit",
  "offset",
  "sample",
  "skip",
  "stream_context",
  "union",
]);

export const pipeItems: readonly CompletionItem[] = [
  ...pipeNames.map((text) => ({ text, kind: "pipe" as const })),
  ...functions(statsNames, "short for stats"),
];

export const statsItems: readonly CompletionItem[] = functions(statsNames, "of stats");

export const mathItems: readonly CompletionItem[] = functions(
  [...mathFunctions, "sqrt"],
  "of math",
);

export const filterItems: readonly CompletionItem[] = filterFunctions.map((name) => ({
  text: `${name}(`,
  kind: "filter",
}));

export const logicItems: readonly CompletionItem[] = ["and", "or", "not"].map((text) => ({
  text,
  kind: "keyword",
}));

/** What may stand behind `_time:`. */
export const timeItems: readonly CompletionItem[] = [
  ...["5m", "15m", "1h", "6h", "1d", "7d"].map((text) => ({
    text,
    kind: "value" as const,
    detail: "the last so long",
  })),
  { text: "day_range[", kind: "filter", detail: "hours of each day" },
  { text: "week_range[", kind: "filter", detail: "days of each week" },
];

/** Steps of time behind `by (_time:`. */
export const stepItems: readonly CompletionItem[] = [
  ..."1s 10s 1m 5m 1h 1d".split(" "),
  ..."hour day week month year".split(" "),
].map((text) => ({ text, kind: "value" }));

function functions(names: readonly string[], detail: string): readonly CompletionItem[] {
  return names.map((name) => ({ text: `${name}(`, kind: "function", detail }));
}
