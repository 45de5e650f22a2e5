import type { FieldSelector, FilterNode, PipeNode } from "../src/language/ast.ts";
import type { WriteOptions } from "../src/language/pipe-node.ts";

type Row = Record<string, string>;
type Matches = (filter: FilterNode, row: Row) => boolean;

/** Pipes that make fields of others, and those with other rows in them, over objects. */
export function transformed(rows: Row[], pipe: PipeNode, matches: Matches): Row[] {
  const write = (name: string, made: (row: Row) => string, options: Partial<WriteOptions> = {}) =>
    rows.map((row) => {
      if (options.filter !== undefined && !matches(options.filter, row)) return row;
      const value = made(row);
      if (options.keepOriginal === true && (row[name] ?? "") !== "") return row;
      if (options.skipEmpty === true && value === "") return row;
      return { ...row, [name]: value };
    });
  const text = (row: Row, name: string) => row[name] ?? "";
  switch (pipe.kind) {
    case "format":
      return write(
        pipe.as,
        (row) => {
          const steps = pipe.pattern.steps.map(
            ({ literal, field, option }) =>
              literal + (option === "uc" ? text(row, field).toUpperCase() : text(row, field)),
          );
          return steps.join("") + pipe.pattern.tail;
        },
        pipe,
      );
    case "len":
      return write(pipe.as, (row) => String(Buffer.byteLength(text(row, pipe.field))));
    case "replace":
      return write(
        pipe.field,
        (row) => text(row, pipe.field).split(pipe.old).join(pipe.replacement),
        { filter: pipe.filter },
      );
    case "replaceRegexp":
      return write(
        pipe.field,
        (row) => text(row, pipe.field).replace(new RegExp(pipe.pattern, "gsu"), pipe.replacement),
        { filter: pipe.filter },
      );
    case "collapseNums":
      return write(pipe.field, (row) => text(row, pipe.field).replace(/\b\d+\b/g, "<N>"), {
        filter: pipe.filter,
      });
    case "pack":
      return write(pipe.as, (row) => JSON.stringify(Object.fromEntries(filled(row, pipe.fields))));
    case "unpack":
      return rows.map((row) => {
        const inner = JSON.parse(text(row, pipe.from) || "{}") as Row;
        const named = Object.entries(inner).map(([name, value]) => [pipe.prefix + name, value]);
        return { ...row, ...(Object.fromEntries(named) as Row) };
      });
    case "unroll":
      return rows.flatMap((row) => {
        if (pipe.filter !== undefined && !matches(pipe.filter, row)) return [row];
        const lists = pipe.fields.map((field) => listOf(text(row, field)));
        const count = Math.max(1, ...lists.map(({ length }) => length));
        return Array.from({ length: count }, (_, i) => ({
          ...row,
          ...Object.fromEntries(pipe.fields.map((field, f) => [field, lists[f]?.[i] ?? ""])),
        }));
      });
    case "dropEmpty":
      return rows
        .map((row) => Object.fromEntries(filled(row, [])))
        .filter((row) => Object.keys(row).length > 0);
    default:
      throw new Error(`no naive ${pipe.kind}`);
  }
}

function filled(row: Row, fields: readonly FieldSelector[]): [string, string][] {
  return Object.entries(row).filter(
    ([name, value]) =>
      value !== "" &&
      (fields.length === 0 ||
        fields.some((each) => (each.prefix ? name.startsWith(each.name) : each.name === name))),
  );
}

function listOf(text: string): string[] {
  if (!text.startsWith("[")) return [];
  return (JSON.parse(text) as unknown[]).map((item) =>
    typeof item === "string" ? item : JSON.stringify(item),
  );
}
