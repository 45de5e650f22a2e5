import type { PipeNode, Query } from "../language/ast.ts";

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
      return pipe.pairs.reduce<readonly string[] | undefined>(
        (names, { from, to }) =>
          names
            ?.filter((name) => name !== to || name === from)
            .map((name) => (name === from ? to : name)),
        before,
      );
    case "copy":
      return added(
        before,
        pipe.pairs.map(({ to }) => to),
      );
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
      return distinct([...pipe.by, pipe.hitsAs]);
    case "uniq":
      return distinct(pipe.hitsAs === undefined ? pipe.by : [...pipe.by, pipe.hitsAs]);
    case "fieldNames":
      return [pipe.as, "hits"];
    case "fieldValues":
      return [pipe.field, "hits"];
    case "filter":
    case "sort":
    case "limit":
    case "offset":
      return before;
  }
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
