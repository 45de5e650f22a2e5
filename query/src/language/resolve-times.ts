import type { FilterNode, PipeNode, Query, StatsFunction, TimeBound } from "./ast.ts";

/** The query with every relative time counted back from `nowMs`. */
export function resolveTimes(query: Query, nowMs: number): Query {
  return {
    filter: resolve(query.filter, nowMs),
    pipes: query.pipes.map((pipe) => resolvePipe(pipe, nowMs)),
  };
}

function resolve(node: FilterNode, nowMs: number): FilterNode {
  switch (node.kind) {
    case "and":
    case "or":
      return { ...node, parts: node.parts.map((part) => resolve(part, nowMs)) };
    case "not":
      return { ...node, part: resolve(node.part, nowMs) };
    case "time":
      return { ...node, from: bound(node.from, nowMs), to: bound(node.to, nowMs) };
    default:
      return node;
  }
}

function bound(at: TimeBound | undefined, nowMs: number): TimeBound | undefined {
  if (at === undefined || at.kind === "moment") return at;
  // now − (ms, ns): nanoseconds are taken from the millisecond before.
  return at.ns === 0
    ? { kind: "moment", ms: nowMs - at.ms, ns: 0 }
    : { kind: "moment", ms: nowMs - at.ms - 1, ns: 1_000_000 - at.ns };
}

function resolvePipe(pipe: PipeNode, nowMs: number): PipeNode {
  switch (pipe.kind) {
    case "filter":
      return { ...pipe, filter: resolve(pipe.filter, nowMs) };
    case "stats":
      return { ...pipe, functions: pipe.functions.map((each) => resolveIf(each, nowMs)) };
    case "extract":
      return {
        ...pipe,
        filter: pipe.filter === undefined ? undefined : resolve(pipe.filter, nowMs),
      };
    default:
      return pipe;
  }
}

function resolveIf(each: StatsFunction, nowMs: number): StatsFunction {
  return each.filter === undefined ? each : { ...each, filter: resolve(each.filter, nowMs) };
}
