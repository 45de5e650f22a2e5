import type { ExtractPipe, ExtractStep, FieldSelector, PipeNode, Query, SortPipe } from "./ast.ts";
import { printFilter } from "./print-filter.ts";
import { printMath } from "./print-math.ts";
import { printName } from "./print-name.ts";
import { printStats } from "./print-stats.ts";
import { quoted } from "./string-literal.ts";

/** The query as text that reads back as the same query. */
export function printQuery({ filter, pipes }: Query): string {
  return [printFilter(filter), ...pipes.map(printPipe)].join(" | ");
}

export function printPipe(pipe: PipeNode): string {
  switch (pipe.kind) {
    case "fields":
    case "delete":
      return `${pipe.kind} ${pipe.fields.map(printSelector).join(", ")}`;
    case "rename":
    case "copy": {
      const pairs = pipe.pairs.map(({ from, to }) => `${printName(from)} as ${printName(to)}`);
      return `${pipe.kind} ${pairs.join(", ")}`;
    }
    case "stats":
      return printStats(pipe);
    case "sort":
      return printSort(pipe);
    case "limit":
    case "offset":
      return `${pipe.kind} ${pipe.count}`;
    case "top":
      return `top ${pipe.limit} by (${printNames(pipe.by)}) hits as ${printName(pipe.hitsAs)}`;
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
  }
}

function printSelector({ name, prefix }: FieldSelector): string {
  if (!prefix) return printName(name);
  return name === "" ? "*" : `${printName(name)}*`;
}

function printNames(names: readonly string[]): string {
  return names.map(printName).join(", ");
}

function printLimit(limit: number | undefined): string {
  return limit === undefined ? "" : ` limit ${limit}`;
}

function printSort({ by, offset, limit }: SortPipe): string {
  const keys = by.map(({ field, desc }) => `${printName(field)}${desc ? " desc" : ""}`);
  const skipped = offset === 0 ? "" : ` offset ${offset}`;
  return `sort by (${keys.join(", ")})${skipped}${printLimit(limit)}`;
}

function printExtract({ pattern, from, filter, keepOriginal, skipEmpty }: ExtractPipe): string {
  const text = pattern.steps.map(printStep).join("") + escaped(pattern.tail);
  const parts = ["extract"];
  if (filter !== undefined) parts.push(`if (${printFilter(filter)})`);
  parts.push(quoted(text), "from", printName(from));
  if (keepOriginal) parts.push("keep_original_fields");
  if (skipEmpty) parts.push("skip_empty_results");
  return parts.join(" ");
}

function printStep({ literal, field, plain }: ExtractStep): string {
  return `${escaped(literal)}<${plain ? "plain:" : ""}${escaped(field ?? "_")}>`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
