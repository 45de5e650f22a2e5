import type { Prng } from "../../kit/src/prng.ts";
import type { FilterNode, PipeNode, Query } from "../src/language/ast.ts";
import { formatOptions } from "../src/language/pipe-node.ts";

/** What pipes are made of. */
export interface Parts {
  name(): string;
  /** Never empty. */
  text(): string;
  value(): string;
  some<T>(draw: () => T): readonly T[];
  /** Undefined now and then. */
  filter(): FilterNode | undefined;
  /** Undefined where queries are nested enough. */
  readonly query: (() => Query) | undefined;
}

/** Draws a pipe that makes fields of others, or asks another query. */
export function drawTransform(prng: Prng, parts: Parts): PipeNode {
  const limit = prng.chance(0.5) ? prng.below(9) : undefined;
  const selector = () => ({ name: parts.name(), prefix: prng.chance(0.3) });
  const fields = () => (prng.chance(0.5) ? [] : parts.some(selector));
  const write = () => ({
    filter: parts.filter(),
    keepOriginal: prng.chance(0.3),
    skipEmpty: prng.chance(0.3),
  });
  const hour = { ms: 3_600_000, ns: 0 };
  const pipes: readonly (() => PipeNode)[] = [
    () => ({
      kind: "extractRegexp",
      pattern: prng.pick(["(?P<a>\\d+)", "x=(?P<user>[^ ]+) (?P<b>.)", '"(?P<q>["`]*)"']),
      from: parts.name(),
      ...write(),
    }),
    () => ({ kind: "format", pattern: drawFormat(prng, parts), as: parts.name(), ...write() }),
    () => ({
      kind: "collapseNums",
      field: parts.name(),
      prettify: prng.chance(0.5),
      filter: parts.filter(),
    }),
    () => ({ kind: "decolorize", field: parts.name() }),
    () => ({
      kind: "replace",
      old: parts.value(),
      replacement: parts.value(),
      field: parts.name(),
      limit,
      filter: parts.filter(),
    }),
    () => ({
      kind: "replaceRegexp",
      pattern: prng.pick(["a+", "(x)|(y)", "[\"'`]"]),
      replacement: parts.value(),
      field: parts.name(),
      limit,
      filter: parts.filter(),
    }),
    () => ({
      kind: prng.pick(["len", "hash", "jsonArrayLen"]),
      field: parts.name(),
      as: parts.name(),
    }),
    () => ({
      kind: "unpackWords",
      from: parts.name(),
      as: parts.name(),
      dropDuplicates: prng.chance(0.5),
    }),
    () => ({
      kind: "pack",
      format: prng.pick(["json", "logfmt"]),
      fields: fields(),
      as: parts.name(),
    }),
    () => {
      const format = prng.pick(["json", "logfmt", "syslog"] as const);
      return {
        kind: "unpack",
        format,
        from: parts.name(),
        fields: format === "syslog" ? [] : fields(),
        prefix: parts.value(),
        offset: format === "syslog" && prng.chance(0.5) ? hour : { ms: 0, ns: 0 },
        ...write(),
      };
    },
    () => ({ kind: "unroll", fields: parts.some(() => parts.name()), filter: parts.filter() }),
    () => ({ kind: "sample", every: 1 + prng.below(100) }),
    () => ({ kind: "dropEmpty" }),
    () => ({
      kind: "facets",
      limit: prng.below(20),
      valuesMax: prng.below(1e6),
      lengthMax: prng.below(500),
      keepConst: prng.chance(0.5),
    }),
    () => ({ kind: "blocksCount", as: parts.name() }),
    () => ({ kind: "blockStats" }),
    () => ({
      kind: "streamContext",
      before: prng.below(10),
      after: prng.below(10),
      window: prng.pick([hour, { ms: 90_000, ns: 7 }]),
    }),
    () => drawInner(prng, parts),
  ];
  return prng.pick(pipes)();
}

function drawInner(prng: Prng, { query, some, name, value }: Parts): PipeNode {
  if (query === undefined) return { kind: "dropEmpty" };
  if (prng.chance(0.5)) return { kind: "union", query: query() };
  return {
    kind: "join",
    by: some(() => name()),
    query: query(),
    isInner: prng.chance(0.5),
    prefix: value(),
  };
}

function drawFormat(prng: Prng, { name, text, value }: Parts) {
  const steps = Array.from({ length: prng.below(4) }, () => {
    const option = prng.chance(0.5) ? prng.pick(formatOptions) : undefined;
    // White space around a placeholder's name is no part of it.
    const field = name().trim();
    return { literal: value(), field: field === "" ? "x" : field, option };
  });
  return { steps, tail: prng.chance(0.5) ? text() : "" };
}
