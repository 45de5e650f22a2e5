import type { Query } from "../../query/src/language/ast.ts";
import { parseQuery } from "../../query/src/language/parse.ts";
import { resolveTimes } from "../../query/src/language/resolve-times.ts";

/** A query's text, parsed, its times counted from now. Throws `query.syntax` with line and column. */
export function parseQuestion(text: string, nowMs: number): Query {
  return resolveTimes(parseQuery(text), nowMs);
}
