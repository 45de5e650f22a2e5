import { ServiceError } from "../../../kit/src/errors.ts";
import type { FilterNode, Query } from "../language/ast.ts";
import { mapFilter, mapQuery } from "../language/map-filter.ts";
import type { RowPipeNode } from "../plan/plan.ts";
import { isRowPipe } from "../plan/split.ts";
import { withStreamId } from "../plan/stream-id.ts";

/** What a tail looks for, plain data for workers. */
export interface TailPlan {
  /** Different for every tail of a process. */
  readonly id: string;
  readonly filter: FilterNode;
  readonly pipes: readonly RowPipeNode[];
  /** Set where matches are counted: only so many of the newest of an entry are delivered, the newest first. */
  readonly keep?: number;
}

/** Throws `query.invalid` for a query with a pipe that needs all rows: a tail has no end. */
export function planTail(id: string, query: Query): TailPlan {
  const other = query.pipes.find((pipe) => !isRowPipe(pipe));
  if (other !== undefined) {
    throw new ServiceError(
      "query.invalid",
      "a tail or a match takes only pipes that look at each record alone",
      {
        pipe: other.kind,
      },
    );
  }
  mapQuery(query, checkFilter);
  const pipes = query.pipes.filter(isRowPipe);
  return { id, filter: query.filter, pipes: withStreamId(pipes, pipes) };
}

/** A query within another has an end, which a tail would have to ask for again and again. */
function checkFilter(filter: FilterNode): FilterNode {
  return mapFilter(filter, (leaf) => {
    if (leaf.kind !== "subquery") return leaf;
    throw new ServiceError("query.invalid", "a tail or a match takes no queries within the query");
  });
}

/** Records that matched, in the order in which they are delivered. */
export interface TailChunk {
  /** All that matched; more than are delivered where the plan keeps a few. */
  readonly count: number;
  /** NDJSON: record i is `bytes[offsets[i] … offsets[i + 1]]`, its newline in it. */
  readonly bytes: Uint8Array;
  readonly offsets: Uint32Array;
  /** The position of each record's entry; ascending, but where the plan keeps a few. */
  readonly positions: Float64Array;
}
