import type { estypes } from "@elastic/elasticsearch";
import type { WorkerPlan } from "../../../../query/src/plan/plan.ts";
import { documentFields } from "../field-name.ts";

/**
 * The order in which a plan's answer needs its records, undefined where it needs none. Records of one stream, time and
 * entry follow each other as they were indexed.
 */
export function orderOf(plan: WorkerPlan): estypes.SortCombinations[] | undefined {
  switch (plan.sink.kind) {
    case "records":
    case "newest":
      return byTime("desc");
    case "gather":
      return isOldestFirst(plan) ? byTime("asc") : undefined;
    case "matches":
    case "replay":
      return undefined;
  }
}

/** How many rows are wanted of an ordered answer; undefined: all of them. */
export function orderedRowsOf(plan: WorkerPlan): number | undefined {
  const { sink } = plan;
  switch (sink.kind) {
    case "records":
    case "newest":
      return sink.wanted;
    case "gather":
      return isOldestFirst(plan) ? oldestWanted(plan) : undefined;
    case "matches":
    case "replay":
      return undefined;
  }
}

function byTime(order: "asc" | "desc"): estypes.SortCombinations[] {
  return [
    // Printed with all its digits, which a number of JSON would lose.
    { [documentFields.timestamp]: { order, format: "strict_date_optional_time_nanos" } },
    { [documentFields.stream]: { order: "asc" } },
    { [documentFields.position]: { order: "desc" } },
    { _seq_no: { order } },
  ];
}

/** `sort by (_time) limit 10`, of times that no pipe before it has changed. */
function isOldestFirst(plan: WorkerPlan): boolean {
  return oldestWanted(plan) !== undefined;
}

function oldestWanted({ sink, pipes }: WorkerPlan): number | undefined {
  if (sink.kind !== "gather" || sink.pipe.kind !== "sort") return undefined;
  const { by, offset, limit } = sink.pipe;
  const [key] = by;
  const isByTime = by.length === 1 && key?.field === documentFields.time && !key.desc;
  const isUnchanged = pipes.every(({ kind }) => kind === "filter");
  return isByTime && isUnchanged && limit !== undefined ? offset + limit : undefined;
}
