import type { FilterNode, Query } from "../../query/src/language/ast.ts";
import { nanosOf } from "../../query/src/language/duration.ts";
import { mapFilter } from "../../query/src/language/map-filter.ts";
import { parseQuery } from "../../query/src/language/parse.ts";
import { resolveTimes } from "../../query/src/language/resolve-times.ts";

/** A query's text, parsed, its times counted from now. Throws `query.syntax` with line and column. */
export function parseQuestion(text: string, nowMs: number): Query {
  return resolveTimes(parseQuery(text), nowMs);
}

/**
 * As `parseQuestion`, for a tail: a span that ends now, as `_time:5m`, has no end there, since what is
 * followed lies after now.
 */
export function parseTail(text: string, nowMs: number): Query {
  const query = parseQuery(text);
  const filter = mapFilter(query.filter, withoutEndNow);
  return resolveTimes({ ...query, filter }, nowMs);
}

function withoutEndNow(node: FilterNode): FilterNode {
  if (node.kind !== "time" || node.to?.kind !== "ago") return node;
  // Up to now, or a nanosecond behind it where now itself is in the span.
  const isNow = nanosOf(node.to) === 0n || nanosOf(node.to) === -1n;
  return isNow ? { ...node, to: undefined } : node;
}
