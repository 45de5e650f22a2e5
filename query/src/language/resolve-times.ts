import type { FilterNode, MathNode, PipeNode, Query, TimeBound } from "./ast.ts";
import { durationOf, nanosOf } from "./duration.ts";
import { mapFilter, mapQuery } from "./map-filter.ts";

/** The query, and those within it, with every time that counts from now turned into a moment; `nowMs` since the epoch. */
export function resolveTimes(query: Query, nowMs: number): Query {
  const own = mapQuery(query, (filter) => mapFilter(filter, (leaf) => resolved(leaf, nowMs)));
  return { ...own, pipes: own.pipes.map((pipe) => inPipe(pipe, nowMs)) };
}

function inPipe(pipe: PipeNode, nowMs: number): PipeNode {
  switch (pipe.kind) {
    case "join":
    case "union":
      return { ...pipe, query: resolveTimes(pipe.query, nowMs) };
    case "math":
      return {
        ...pipe,
        assignments: pipe.assignments.map((each) => ({
          ...each,
          expression: inMath(each.expression, nowMs),
        })),
      };
    default:
      return pipe;
  }
}

function inMath(node: MathNode, nowMs: number): MathNode {
  switch (node.kind) {
    case "call":
      if (node.name === "now") return { kind: "number", value: nowMs * 1e6 };
      return { ...node, args: node.args.map((arg) => inMath(arg, nowMs)) };
    case "negate":
      return { ...node, operand: inMath(node.operand, nowMs) };
    case "binary":
      return { ...node, left: inMath(node.left, nowMs), right: inMath(node.right, nowMs) };
    case "number":
    case "field":
      return node;
  }
}

function resolved(leaf: FilterNode, nowMs: number): FilterNode {
  if (leaf.kind === "subquery") return { ...leaf, query: resolveTimes(leaf.query, nowMs) };
  if (leaf.kind !== "time") return leaf;
  return { kind: "time", from: moment(leaf.from, nowMs), to: moment(leaf.to, nowMs) };
}

function moment(bound: TimeBound | undefined, nowMs: number): TimeBound | undefined {
  if (bound?.kind !== "ago") return bound;
  const nanos = BigInt(Math.trunc(nowMs)) * 1_000_000n - nanosOf(bound);
  return { kind: "moment", ...durationOf(nanos) };
}
