import type { PipeNode } from "../language/ast.ts";
import { createGatherPipe, createRowPipe } from "../pipe/create.ts";
import type { Rows } from "../pipe/pipe.ts";
import type { Window } from "../plan/plan.ts";

/** Pipes over rows that are all here. */
export function runPipes(rows: Rows, pipes: readonly PipeNode[]): Rows {
  return pipes.reduce(runPipe, rows);
}

function runPipe(rows: Rows, pipe: PipeNode): Rows {
  switch (pipe.kind) {
    case "fields":
    case "delete":
    case "rename":
    case "copy":
    case "filter":
    case "math":
    case "extract":
      return createRowPipe(pipe).apply(rows);
    case "limit":
      return windowed(rows, { offset: 0, limit: pipe.count });
    case "offset":
      return windowed(rows, { offset: pipe.count, limit: undefined });
    case "stats":
    case "sort":
    case "top":
    case "uniq":
    case "fieldNames":
    case "fieldValues": {
      const gather = createGatherPipe(pipe);
      gather.add(rows);
      return gather.finish();
    }
  }
}

/** The rows of a window. */
export function windowed({ view, rows }: Rows, { offset, limit }: Window): Rows {
  return { view, rows: rows.subarray(offset, limit === undefined ? undefined : offset + limit) };
}
