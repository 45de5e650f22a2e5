import type {
  ExtractPipe,
  ExtractStep,
  FieldPair,
  FieldSelector,
  FilterNode,
  PipeNode,
  Query,
  QueryOptions,
  SortPipe,
  StatsFunction,
  TopPipe,
} from "./ast.ts";
import type { FacetsPipe } from "./pipe-node.ts";
import { escapedPlaceholder } from "./placeholders.ts";
import { printFilterNode } from "./print-filter-node.ts";
import { printInner } from "./print-inner.ts";
import { printMath } from "./print-math.ts";
import { printName } from "./print-name.ts";
import { printStats, statsFunctionText } from "./print-stats.ts";
import { printTransform } from "./print-transform.ts";
import { quoted } from "./string-literal.ts";

/** The query as text that reads back as the same query. */
export function printQuery({ options, filter, pipes }: Query): string {
  const text = [printFilter(filter), ...pipes.map(printPipe)].join(" | ");
  return options === undefined ? text : `${printOptions(options)} ${text}`;
}

function printFilter(filter: FilterNode): string {
  return printFilterNode(filter, printQuery);
}

/** A function's own text, which is its result's name unless one is given: `sum(bytes)`, `count(*)`. */
export function printStatsFunction(unnamed: Omit<StatsFunction, "as">): string {
  return statsFunctionText(unnamed, printFilter);
}

function printOptions({ concurrency, ignoreGlobalTimeFilter }: QueryOptions): string {
  const parts: string[] = [];
  if (concurrency !== undefined) parts.push(`concurrency=${concurrency}`);
  if (ignoreGlobalTimeFilter !== undefined) {
    parts.push(`ignore_global_time_filter=${ignoreGlobalTimeFilter}`);
  }
  return `options(${parts.join(", ")})`;
}

export function printPipe(pipe: PipeNode): string {
  switch (pipe.kind) {
    case "fields":
    case "delete":
      return `${pipe.kind} ${pipe.fields.map(printSelector).join(", ")}`;
    case "rename":
    case "copy":
      return `${pipe.kind} ${pipe.pairs.map(printPair).join(", ")}`;
    case "stats":
      return printStats(pipe, printFilter);
    case "sort":
      return printSort(pipe);
    case "limit":
    case "offset":
      return `${pipe.kind} ${pipe.count}`;
    case "top":
      return printTop(pipe);
    case "uniq": {
      const hits = pipe.hitsAs === undefined ? "" : ` hits as ${printName(pipe.hitsAs)}`;
      return `uniq by (${printNames(pipe.by)})${hits}${printLimit(pipe.limit)}`;
    }
    case "filter":
      return `filter ${printFilter(pipe.filter)}`;
    case "math": {
      const all = pipe.assignments.map((a) => `${printMath(a.expression)} as ${printName(a.as)}`);
      return `math ${all.join(", ")}`;
    }
    case "extract":
      return printExtract(pipe);
    case "fieldNames":
      return `field_names as ${printName(pipe.as)}`;
    case "fieldValues":
      return `field_values ${printName(pipe.field)}${printLimit(pipe.limit)}`;
    case "facets":
      return printFacets(pipe);
    case "blockStats":
      return "block_stats";
    case "blocksCount":
      return `blocks_count as ${printName(pipe.as)}`;
    case "join":
    case "union":
    case "streamContext":
      return printInner(pipe, printQuery);
    default:
      return printTransform(pipe, printFilter);
  }
}

function printSelector({ name, prefix }: FieldSelector): string {
  if (!prefix) return printName(name);
  return name === "" ? "*" : `${printName(name)}*`;
}

function printPair({ from, to, ...pair }: FieldPair): string {
  const prefix = pair.prefix === true;
  return `${printSelector({ name: from, prefix })} as ${printSelector({ name: to, prefix })}`;
}

function printNames(names: readonly string[]): string {
  return names.map(printName).join(", ");
}

function printLimit(limit: number | undefined): string {
  return limit === undefined ? "" : ` limit ${limit}`;
}

function printSort({ by, offset, limit, partitionBy, rankAs }: SortPipe): string {
  const keys = by.map(({ field, desc }) => `${printName(field)}${desc ? " desc" : ""}`);
  const parts = [`sort by (${keys.join(", ")})`];
  if (partitionBy !== undefined) parts.push(`partition by (${printNames(partitionBy)})`);
  if (offset !== 0) parts.push(`offset ${offset}`);
  if (limit !== undefined) parts.push(`limit ${limit}`);
  if (rankAs !== undefined) parts.push(`rank as ${printName(rankAs)}`);
  return parts.join(" ");
}

function printTop({ limit, by, hitsAs, rankAs }: TopPipe): string {
  const rank = rankAs === undefined ? "" : ` rank as ${printName(rankAs)}`;
  return `top ${limit} by (${printNames(by)}) hits as ${printName(hitsAs)}${rank}`;
}

function printFacets({ limit, valuesMax, lengthMax, keepConst }: FacetsPipe): string {
  const bounds = `max_values_per_field ${valuesMax} max_value_len ${lengthMax}`;
  return `facets ${limit} ${bounds}${keepConst ? " keep_const_fields" : ""}`;
}

function printExtract({ pattern, from, filter, keepOriginal, skipEmpty }: ExtractPipe): string {
  const text = pattern.steps.map(printStep).join("") + escapedPlaceholder(pattern.tail);
  const parts = ["extract"];
  if (filter !== undefined) parts.push(`if (${printFilter(filter)})`);
  parts.push(quoted(text), "from", printName(from));
  if (keepOriginal) parts.push("keep_original_fields");
  if (skipEmpty) parts.push("skip_empty_results");
  return parts.join(" ");
}

function printStep({ literal, field, plain }: ExtractStep): string {
  const name = escapedPlaceholder(field ?? "_");
  return `${escapedPlaceholder(literal)}<${plain ? "plain:" : ""}${name}>`;
}
