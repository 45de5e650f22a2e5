import type { Prng } from "../../kit/src/prng.ts";
import type { FilterNode, PipeNode } from "../src/language/ast.ts";

/** Draws a pipe that makes fields of others, of those that the plain evaluator knows. */
export function drawTransform(
  prng: Prng,
  fields: readonly string[],
  condition: () => FilterNode | undefined,
): PipeNode {
  const field = prng.pick(fields);
  const to = prng.pick(["made", "level", "code"]);
  const write = {
    filter: condition(),
    keepOriginal: prng.chance(0.3),
    skipEmpty: prng.chance(0.3),
  };
  const pipes: readonly (() => PipeNode)[] = [
    () => ({
      kind: "format",
      pattern: {
        steps: [
          { literal: "", field, option: prng.chance(0.5) ? "uc" : undefined },
          { literal: prng.pick(["", "/"]), field: prng.pick(fields), option: undefined },
        ],
        tail: prng.pick(["", "!"]),
      },
      as: to,
      ...write,
    }),
    () => ({ kind: "len", field, as: to }),
    () => ({
      kind: "replace",
      old: "s",
      replacement: prng.pick(["", "$&", "ß"]),
      field: prng.pick(["_msg", "level"]),
      limit: undefined,
      filter: write.filter,
    }),
    () => ({
      kind: "replaceRegexp",
      pattern: "[aeio]+",
      replacement: "<>",
      field: prng.pick(["_msg", "level"]),
      limit: undefined,
      filter: write.filter,
    }),
    () => ({ kind: "collapseNums", field: "code", prettify: false, filter: write.filter }),
    () => ({
      kind: "pack",
      format: "json",
      fields: [{ name: "level", prefix: false }],
      as: "packed",
    }),
    () => ({
      kind: "unpack",
      format: "json",
      from: "json",
      fields: [],
      prefix: prng.pick(["", "j."]),
      offset: { ms: 0, ns: 0 },
      ...write,
      filter: undefined,
      keepOriginal: false,
      skipEmpty: false,
    }),
    () => ({ kind: "unroll", fields: ["list"], filter: write.filter }),
    () => ({ kind: "dropEmpty" }),
  ];
  return prng.pick(pipes)();
}
