import type { FieldPair, PipeNode, Query } from "../language/ast.ts";
import type { TransformPipe } from "../language/pipe-node.ts";
import { blockStatsNames } from "../pipe/block-stats.ts";
import { regexGroups } from "../regex/pattern.ts";

/** The fields that every row of the answer has, in order, as far as the query itself says. */
export function columnsOf(query: Query): readonly string[] | undefined {
  return query.pipes.reduce<readonly string[] | undefined>(columnsAfter, undefined);
}

function columnsAfter(
  before: readonly string[] | undefined,
  pipe: PipeNode,
): readonly string[] | undefined {
  switch (pipe.kind) {
    case "fields":
      if (pipe.fields.some(({ prefix }) => prefix)) return undefined;
      return distinct(pipe.fields.map(({ name }) => name));
    case "delete":
      if (before === undefined) return undefined;
      return before.filter(
        (each) =>
          !pipe.fields.some(({ name, prefix }) => (prefix ? each.startsWith(name) : each === name)),
      );
    case "rename":
      if (pipe.pairs.some(({ prefix }) => prefix)) return undefined;
      return pipe.pairs.reduce<readonly string[] | undefined>(
        (names, { from, to }) =>
          names
            ?.filter((name) => name !== to || name === from)
            .map((name) => (name === from ? to : name)),
        before,
      );
    case "copy":
      if (pipe.pairs.some(({ prefix }) => prefix)) return undefined;
      return added(before, targets(pipe.pairs));
    case "math":
      return added(
        before,
        pipe.assignments.map(({ as }) => as),
      );
    case "extract": {
      const fields = pipe.pattern.steps.map(({ field }) => field);
      return added(
        before,
        fields.filter((field) => field !== undefined),
      );
    }
    case "stats":
      return distinct([
        ...pipe.by.map(({ field }) => field),
        ...pipe.functions.map(({ as }) => as),
      ]);
    case "top":
      return distinct([...pipe.by, pipe.hitsAs, ...named(pipe.rankAs)]);
    case "uniq":
      return distinct(pipe.hitsAs === undefined ? pipe.by : [...pipe.by, pipe.hitsAs]);
    case "fieldNames":
    case "fieldValues":
      return [pipe.kind === "fieldNames" ? pipe.as : pipe.field, "hits"];
    case "facets":
      return ["field_name", "field_value", "hits"];
    case "blockStats":
      return blockStatsNames;
    case "blocksCount":
      return [pipe.as];
    case "sort":
      return added(before, named(pipe.rankAs));
    case "filter":
    case "limit":
    case "offset":
      return before;
    case "join":
    case "union":
    case "streamContext":
      return undefined;
    default:
      return columnsWith(before, pipe);
  }
}

function columnsWith(
  before: readonly string[] | undefined,
  pipe: TransformPipe,
): readonly string[] | undefined {
  switch (pipe.kind) {
    case "format":
    case "len":
    case "hash":
    case "jsonArrayLen":
    case "unpackWords":
    case "pack":
      return added(before, [pipe.as]);
    case "sample":
    case "collapseNums":
    case "decolorize":
    case "replace":
    case "replaceRegexp":
      return before;
    case "unroll":
      return added(before, pipe.fields);
    case "extractRegexp":
      return added(before, regexGroups(pipe.pattern));
    case "unpack":
    case "dropEmpty":
      return undefined;
  }
}

function targets(pairs: readonly FieldPair[]): readonly string[] {
  return pairs.map(({ to }) => to);
}

function named(name: string | undefined): readonly string[] {
  return name === undefined ? [] : [name];
}

function added(
  before: readonly string[] | undefined,
  names: readonly string[],
): readonly string[] | undefined {
  return before === undefined ? undefined : distinct([...before, ...names]);
}

function distinct(names: readonly string[]): readonly string[] {
  return [...new Set(names)];
}
