import type { FilterNode, PipeNode, Query } from "./ast.ts";

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

/** The same query with every filter of its own replaced: the first, those of pipes, those of `if (…)`. */
export function mapQuery(query: Query, filterOf: (node: FilterNode) => FilterNode): Query {
  const pipes = query.pipes.map((pipe) => mapPipe(pipe, filterOf));
  return { ...query, filter: filterOf(query.filter), pipes };
}

function mapPipe(pipe: PipeNode, filterOf: (node: FilterNode) => FilterNode): PipeNode {
  if (pipe.kind === "stats") {
    const functions = pipe.functions.map((each) =>
      each.filter === undefined ? each : { ...each, filter: filterOf(each.filter) },
    );
    return { ...pipe, functions };
  }
  if (!("filter" in pipe) || pipe.filter === undefined) return pipe;
  return { ...pipe, filter: filterOf(pipe.filter) };
}
