import type { FilterNode, LabelMatcher } from "../language/ast.ts";
import { streamIdField } from "../table/stream-id.ts";

/**
 * Whether a question is for streams that Logkeep itself writes, such as `{stream="_rejected"}`: only
 * one that names such a stream, or any by its id, sees them, so that they never count among a tenant's own records.
 */
export function asksInternal(filter: FilterNode): boolean {
  switch (filter.kind) {
    case "and":
    case "or":
      return filter.parts.some(asksInternal);
    case "stream":
      return filter.groups.some((group) => group.some(namesInternal));
    case "phrase":
    case "in":
      // An id says nothing of what its stream is called.
      return filter.field === streamIdField;
    case "exact":
      if (filter.field === streamIdField) return true;
      if (filter.field === "_stream") return filter.value.includes('stream="_');
      return filter.field === "stream" && filter.value.startsWith("_");
    default:
      return false;
  }
}

function namesInternal(matcher: LabelMatcher): boolean {
  if (matcher.label !== "stream") return false;
  switch (matcher.op) {
    case "=":
      return matcher.value.startsWith("_");
    case "in":
      return matcher.values.some((value) => value.startsWith("_"));
    default:
      return false;
  }
}
