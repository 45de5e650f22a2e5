import type { Query } from "./ast.ts";

/** The field whose values a query within a filter gives, by its last pipe; undefined when that names no one field. */
export function subqueryField({ pipes }: Query): string | undefined {
  const last = pipes.at(-1);
  if (last?.kind === "uniq" && last.by.length === 1) return last.by[0];
  if (last?.kind === "fieldValues") return last.field;
  const [only] = last?.kind === "fields" && last.fields.length === 1 ? last.fields : [];
  return only === undefined || only.prefix ? undefined : only.name;
}
