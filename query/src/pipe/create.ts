import { compileFilter } from "../filter/compile.ts";
import type { FilterNode } from "../language/ast.ts";
import type { GatherPipeNode, RowPipeNode } from "../plan/plan.ts";
import { createState } from "../stats/create.ts";
import { ExtractPipe } from "./extract.ts";
import { FieldNamesPipe } from "./field-names.ts";
import { CopyPipe, DeletePipe, FieldsPipe, RenamePipe } from "./fields.ts";
import { FilterPipe } from "./filter.ts";
import { MathPipe } from "./math.ts";
import type { GatherPipe, RowPipe } from "./pipe.ts";
import { SortPipe } from "./sort.ts";
import { StatsPipe } from "./stats.ts";
import { UniqPipe } from "./uniq.ts";

/** The pipe that a node asks for. Throws `query.invalid` for what cannot be run. */
export function createRowPipe(node: RowPipeNode): RowPipe {
  switch (node.kind) {
    case "fields":
      return new FieldsPipe(node.fields);
    case "delete":
      return new DeletePipe(node.fields);
    case "rename":
      return new RenamePipe(node.pairs);
    case "copy":
      return new CopyPipe(node.pairs);
    case "filter":
      return new FilterPipe(compileFilter(node.filter));
    case "math":
      return new MathPipe(node.assignments);
    case "extract":
      return new ExtractPipe(node, conditionOf(node.filter));
  }
}

/** As `createRowPipe`. The state is empty; workers and the main thread make one each. */
export function createGatherPipe(node: GatherPipeNode): GatherPipe {
  switch (node.kind) {
    case "stats": {
      const states = node.functions.map((each) => createState(each, conditionOf(each.filter)));
      return new StatsPipe(node, states);
    }
    case "sort":
      return new SortPipe({ kind: "keys", by: node.by }, node.offset, node.limit);
    case "top": {
      const { by, hitsAs, limit } = node;
      return new UniqPipe({ by, hitsAs, limit, byHits: true, keepsEmpty: true });
    }
    case "uniq": {
      const { by, hitsAs, limit } = node;
      return new UniqPipe({ by, hitsAs, limit, byHits: false, keepsEmpty: false });
    }
    case "fieldValues": {
      const options = { by: [node.field], hitsAs: "hits", limit: node.limit };
      return new UniqPipe({ ...options, byHits: true, keepsEmpty: false });
    }
    case "fieldNames":
      return new FieldNamesPipe(node.as);
  }
}

function conditionOf(filter: FilterNode | undefined): RowPipe | undefined {
  return filter === undefined ? undefined : new FilterPipe(compileFilter(filter));
}
