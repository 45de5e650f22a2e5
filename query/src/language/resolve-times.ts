import type { FilterNode, PipeNode, Query, TimeBound } from "./ast.ts";
import { durationOf, nanosOf } from "./duration.ts";
import { mapFilter } from "./map-filter.ts";

/** The query with every time that counts from now turned into a moment; `nowMs` since the epoch. */
export function resolveTimes(query: Query, nowMs: number): Query {
  const resolve = (filter: FilterNode) => mapFilter(filter, (leaf) => resolved(leaf, nowMs));
  return { filter: resolve(query.filter), pipes: query.pipes.map((pipe) => inPipe(pipe, resolve)) };
}

function inPipe(pipe: PipeNode, resolve: (filter: FilterNode) => FilterNode): PipeNode {
  switch (pipe.kind) {
    case "filter":
      return { ...pipe, filter: resolve(pipe.filter) };
    case "extract":
      return pipe.filter === undefined ? pipe : { ...pipe, filter: resolve(pipe.filter) };
    case "stats": {
      const functions = pipe.functions.map((each) =>
        each.filter === undefined ? each : { ...each, filter: resolve(each.filter) },
      );
      return { ...pipe, functions };
    }
    default:
      return pipe;
  }
}

function resolved(leaf: FilterNode, nowMs: number): FilterNode {
  if (leaf.kind !== "time") return leaf;
  return { kind: "time", from: moment(leaf.from, nowMs), to: moment(leaf.to, nowMs) };
}

function moment(bound: TimeBound | undefined, nowMs: number): TimeBound | undefined {
  if (bound?.kind !== "ago") return bound;
  const nanos = BigInt(Math.trunc(nowMs)) * 1_000_000n - nanosOf(bound);
  return { kind: "moment", ...durationOf(nanos) };
}
