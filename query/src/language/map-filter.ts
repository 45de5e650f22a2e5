import type { FilterNode } from "./ast.ts";

/** The same filter with every part that holds no other replaced by what `leaf` makes of it. */
export function mapFilter(node: FilterNode, leaf: (node: FilterNode) => FilterNode): FilterNode {
  switch (node.kind) {
    case "and":
    case "or":
      return { kind: node.kind, parts: node.parts.map((part) => mapFilter(part, leaf)) };
    case "not":
      return { kind: "not", part: mapFilter(node.part, leaf) };
    default:
      return leaf(node);
  }
}
