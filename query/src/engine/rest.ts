import { ServiceError } from "../../../kit/src/errors.ts";
import type { PipeNode } from "../language/ast.ts";
import { createGatherPipe, createRowPipe } from "../pipe/create.ts";
import { joinRows, unionRows } from "../pipe/join.ts";
import type { Rows } from "../pipe/pipe.ts";
import type { Window } from "../plan/plan.ts";
import { isGatherPipe, isRowPipe } from "../plan/split.ts";

/** Pipes over rows that are all here. */
export function runPipes(rows: Rows, pipes: readonly PipeNode[]): Rows {
  return pipes.reduce(runPipe, rows);
}

function runPipe(rows: Rows, pipe: PipeNode): Rows {
  if (isRowPipe(pipe)) return createRowPipe(pipe).apply(rows);
  if (isGatherPipe(pipe)) {
    const gather = createGatherPipe(pipe);
    gather.add(rows);
    return gather.finish();
  }
  switch (pipe.kind) {
    case "limit":
      return windowed(rows, { offset: 0, limit: pipe.count });
    case "offset":
      return windowed(rows, { offset: pipe.count, limit: undefined });
    case "join":
      return joinRows(rows, pipe);
    case "union":
      return unionRows(rows, pipe);
    case "streamContext":
      throw new ServiceError("query.invalid", "stream_context stands right after the filter");
  }
}

/** The rows of a window. */
export function windowed({ view, rows }: Rows, { offset, limit }: Window): Rows {
  return { view, rows: rows.subarray(offset, limit === undefined ? undefined : offset + limit) };
}
