import { compileFilter } from "../filter/compile.ts";
import type { FilterNode } from "../language/ast.ts";
import type { TransformPipe } from "../language/pipe-node.ts";
import type { GatherPipeNode, RowPipeNode } from "../plan/plan.ts";
import { createState } from "../stats/create.ts";
import { BlockStatsPipe } from "./block-stats.ts";
import { BlocksCountPipe } from "./blocks-count.ts";
import { DropEmptyPipe } from "./drop-empty.ts";
import { ExtractPipe } from "./extract.ts";
import { ExtractRegexpPipe } from "./extract-regexp.ts";
import { FacetsPipe } from "./facets.ts";
import { FieldNamesPipe } from "./field-names.ts";
import { CopyPipe, DeletePipe, FieldsPipe, RenamePipe } from "./fields.ts";
import { FilterPipe } from "./filter.ts";
import { FormatPipe } from "./format.ts";
import { createValuePipe } from "./map-text.ts";
import { MathPipe } from "./math.ts";
import { PackPipe } from "./pack.ts";
import { PartitionSortPipe } from "./partition-sort.ts";
import type { GatherPipe, RowPipe } from "./pipe.ts";
import { SamplePipe } from "./sample.ts";
import { ShowStreamIdPipe } from "./show-stream-id.ts";
import { SortPipe } from "./sort.ts";
import { StatsPipe } from "./stats.ts";
import { UniqPipe } from "./uniq.ts";
import { UnpackPipe } from "./unpack.ts";
import { UnrollPipe } from "./unroll.ts";

/** The pipe that a node asks for. Throws `query.invalid` for what cannot be run. */
export function createRowPipe(node: RowPipeNode): RowPipe {
  switch (node.kind) {
    case "showStreamId":
      return new ShowStreamIdPipe();
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
    default:
      return createTransform(node);
  }
}

function createTransform(node: TransformPipe): RowPipe {
  switch (node.kind) {
    case "extractRegexp":
      return new ExtractRegexpPipe(node, conditionOf(node.filter));
    case "format":
      return new FormatPipe(node, conditionOf(node.filter));
    case "pack":
      return new PackPipe(node);
    case "unpack":
      return new UnpackPipe(node, conditionOf(node.filter));
    case "unroll":
      return new UnrollPipe(node, conditionOf(node.filter));
    case "sample":
      return new SamplePipe(node.every);
    case "dropEmpty":
      return new DropEmptyPipe();
    case "collapseNums":
    case "replace":
    case "replaceRegexp":
      return createValuePipe(node, conditionOf(node.filter));
    default:
      return createValuePipe(node, undefined);
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
      if (node.partitionBy !== undefined || node.rankAs !== undefined) {
        return new PartitionSortPipe(node);
      }
      return new SortPipe({ kind: "keys", by: node.by }, node.offset, node.limit);
    case "top": {
      const { by, hitsAs, limit, rankAs } = node;
      return new UniqPipe({ by, hitsAs, limit, rankAs, byHits: true, keepsEmpty: true });
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
    case "facets":
      return new FacetsPipe(node);
    case "blockStats":
      return new BlockStatsPipe();
    case "blocksCount":
      return new BlocksCountPipe(node.as);
  }
}

function conditionOf(filter: FilterNode | undefined): RowPipe | undefined {
  return filter === undefined ? undefined : new FilterPipe(compileFilter(filter));
}
