import { quoted } from "./string-literal.ts";

const keywords = new Set([
  "at",
  "drop_duplicates",
  "fields",
  "inner",
  "keep_const_fields",
  "keep_original_fields",
  "max_value_len",
  "max_values_per_field",
  "on",
  "partition",
  "prefix",
  "prettify",
  "rank",
  "result_prefix",
  "skip_empty_results",
  "day_range",
  "week_range",
  "options",
  "and",
  "or",
  "not",
  "as",
  "by",
  "if",
  "limit",
  "head",
  "offset",
  "skip",
  "from",
  "hits",
  "with",
  "asc",
  "desc",
  "in",
  "not_in",
]);

/** A name or value as a bare word where it reads back as one, else in quotes. */
export function printName(text: string): string {
  const isPlain = /^[\p{L}\p{N}_.@$/][\p{L}\p{N}_.@$/%&+-]*$/u.test(text);
  return isPlain && !keywords.has(text.toLowerCase()) ? text : quoted(text);
}
