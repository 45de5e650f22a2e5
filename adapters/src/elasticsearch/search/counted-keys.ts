import type { GroupKey } from "../../../../query/src/language/ast.ts";
import type { GatherPipeNode, WorkerPlan } from "../../../../query/src/plan/plan.ts";
import { documentFields } from "../field-name.ts";

/** The keys by which a plan only counts records; undefined when it does anything else. */
export function countedBy({ pipes, sink }: WorkerPlan): readonly GroupKey[] | undefined {
  if (pipes.length > 0 || sink.kind !== "gather") return undefined;
  const keys = countedKeys(sink.pipe);
  return keys?.every(isCountable) === true ? keys : undefined;
}

/** What a pipe groups by that only counts. */
export function countedKeys(pipe: GatherPipeNode): readonly GroupKey[] | undefined {
  switch (pipe.kind) {
    case "stats": {
      const isCount = pipe.functions.every(
        ({ name, args, prefixes, filter }) =>
          name === "count" && args.length === 0 && prefixes === undefined && filter === undefined,
      );
      return isCount ? pipe.by : undefined;
    }
    case "top":
    case "uniq":
      return pipe.by.map((field) => ({ field, bucket: undefined }));
    case "fieldValues":
      return [{ field: pipe.field, bucket: undefined }];
    case "sort":
    case "fieldNames":
    case "facets":
    case "blockStats":
    case "blocksCount":
      return undefined;
  }
}

/** Whole milliseconds of `_time`, and fields as they are. */
function isCountable({ field, bucket }: GroupKey): boolean {
  if (bucket === undefined) return field !== documentFields.time;
  const isOfTime = bucket.kind === "time" && field === documentFields.time;
  return isOfTime && bucket.step.ms > 0 && bucket.step.ns === 0 && bucket.offset.ns === 0;
}
