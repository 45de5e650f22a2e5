import { ServiceError } from "../../../kit/src/errors.ts";
import { recordsOf } from "../engine/encode.ts";
import { type QueryRequest, runQuery } from "../engine/run.ts";
import { columnsOf } from "../plan/columns.ts";
import { exportColumnsMax, pageTimeoutMs } from "./limits.ts";

/** Fields that stand in front of all others. */
const leading = ["_time", "_stream", "_msg"];

/**
 * The columns of an export: those that the query names, else all fields that its records have at this moment, found by a
 * query of its own. Throws `query.memory` when they are too many.
 */
export async function exportColumns(request: QueryRequest): Promise<readonly string[]> {
  const named = columnsOf(request.query);
  if (named !== undefined) return named;
  const names = new Set<string>();
  const query = {
    ...request.query,
    pipes: [...request.query.pipes, { kind: "fieldNames", as: "name" } as const],
  };
  const { limit: _, cursor: __, oldestFirst: ___, ...rest } = request;
  const answer = await runQuery({ ...rest, query, timeoutMs: pageTimeoutMs });
  for await (const batch of answer.rows) {
    for (const { name } of recordsOf(batch)) if (name !== undefined) names.add(name);
    if (names.size <= exportColumnsMax) continue;
    const message = "the records have too many fields, name those that are wanted with `fields`";
    throw new ServiceError("query.memory", message, { columnsMax: exportColumnsMax });
  }
  const others = [...names].filter((name) => !leading.includes(name)).sort();
  return [...leading.filter((name) => names.has(name)), ...others];
}
