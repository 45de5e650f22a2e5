import type { Prng } from "../../kit/src/prng.ts";
import type {
  Bucket,
  ExtractPipe,
  FilterNode,
  LabelMatcher,
  MathNode,
  PipeNode,
  Query,
  QueryOptions,
  SortKey,
  StatsFunction,
  StatsName,
  TimeBound,
} from "../src/language/ast.ts";
import { statsNames } from "../src/language/stats-names.ts";
import { drawTransform } from "./language-draw-pipes.ts";

/** Draws queries that a text can say, of all kinds; names and values are plain, odd and hostile. */
export class QueryDraw {
  readonly #prng: Prng;

  constructor(prng: Prng) {
    this.#prng = prng;
  }

  query(depth = 2): Query {
    const prng = this.#prng;
    const pipes = Array.from({ length: prng.below(4) }, () => this.#pipe(depth));
    const query = { filter: this.filter(3, depth), pipes };
    if (prng.chance(0.9)) return query;
    return { options: prng.pick(queryOptions), ...query };
  }

  filter(depth: number, queryDepth = 0): FilterNode {
    const choice = depth === 0 ? 0 : this.#prng.below(8);
    if (choice === 5) return { kind: "not", part: this.filter(depth - 1, queryDepth) };
    if (choice < 6) return this.#leaf(queryDepth);
    const kind = choice === 6 ? "and" : "or";
    const parts: FilterNode[] = [];
    while (parts.length < 2 || this.#prng.chance(0.4)) {
      const part = this.filter(depth - 1, queryDepth);
      if (part.kind !== kind) parts.push(part);
    }
    return { kind, parts };
  }

  #leaf(queryDepth: number): FilterNode {
    const prng = this.#prng;
    if (queryDepth > 0 && prng.chance(0.05)) return this.#subquery(queryDepth - 1);
    const field = this.#name();
    const text = this.#text();
    const values = Array.from({ length: prng.below(4) }, () => this.#value());
    const ignoreCase = prng.chance(0.3);
    const numbers = ["1", "-2.5", "1e3", "10KiB", "5ms", "0x1f", "Inf", "-Inf"];
    const [low = 0, high = 0] = [prng.u32(), prng.u32()].sort((a, b) => a - b);
    const leaves: readonly (() => FilterNode)[] = [
      () => ({ kind: "any" }),
      () => ({ kind: "phrase", field, text, ignoreCase }),
      () => ({ kind: "prefix", field, text, ignoreCase }),
      () => ({ kind: "substring", field, text }),
      () => ({ kind: "regex", field, pattern: prng.pick(patterns) }),
      () => ({ kind: "exact", field, value: text }),
      () => ({ kind: "exactPrefix", field, value: text }),
      () => ({
        kind: "compare",
        field,
        op: prng.pick([">", ">=", "<", "<="]),
        value: this.#value(),
      }),
      () => ({
        kind: "range",
        field,
        min: prng.pick(numbers),
        max: prng.pick(numbers),
        minInclusive: prng.chance(0.5),
        maxInclusive: prng.chance(0.5),
      }),
      () => ({ kind: "stringRange", field, min: this.#value(), max: this.#value() }),
      () => ({ kind: "lengthRange", field, min: prng.below(9), max: prng.pick([9, Infinity]) }),
      () => ({ kind: "in", field, values }),
      () => ({ kind: "containsAny", field, values }),
      () => ({ kind: "containsAll", field, values }),
      () => ({ kind: "sequence", field, values }),
      () => ({ kind: "ipv4Range", field, min: low, max: high }),
      () => ({ kind: "exists", field }),
      () => ({ kind: "empty", field }),
      () => ({ kind: "stream", groups: this.#groups() }),
      () => this.#time(),
      () => ({
        kind: "compareField",
        field,
        op: prng.pick(["eq", "le", "lt"]),
        other: this.#name(),
      }),
      () => ({ kind: "valueType", field, type: text }),
      () => ({ kind: "dayRange", start: prng.below(1441), end: prng.below(1441), ...this.#ends() }),
      () => ({ kind: "weekRange", start: prng.below(7), end: prng.below(7), ...this.#ends() }),
    ];
    return prng.pick(leaves)();
  }

  #ends() {
    const prng = this.#prng;
    const offset = { ms: prng.pick([0, 0, 7_200_000, -60_000]), ns: 0 };
    return { startInclusive: prng.chance(0.5), endInclusive: prng.chance(0.5), offset };
  }

  #subquery(queryDepth: number): FilterNode {
    const prng = this.#prng;
    const inner = this.query(queryDepth);
    const [name, by] = [this.#name(), [this.#name()]];
    const last: PipeNode = prng.chance(0.5)
      ? { kind: "fields", fields: [{ name, prefix: false }] }
      : { kind: "uniq", by, hitsAs: undefined, limit: undefined };
    const query = { ...inner, pipes: [...inner.pipes, last] };
    return {
      kind: "subquery",
      field: this.#name(),
      test: prng.pick(["in", "containsAny", "containsAll"]),
      query,
    };
  }

  #time(): FilterNode {
    const from = this.#prng.chance(0.8) ? this.#bound() : undefined;
    // Without either end it is every record, which reads back as `*`.
    const to = from === undefined || this.#prng.chance(0.8) ? this.#bound() : undefined;
    return { kind: "time", from, to };
  }

  #bound(): TimeBound {
    const prng = this.#prng;
    const ns = prng.pick([0, 0, 1, 999_999, 500_000, prng.below(1e6)]);
    if (prng.chance(0.5)) {
      return { kind: "ago", ms: prng.pick([0, -1, 300_000, -60_000, prng.below(1e10)]), ns };
    }
    return { kind: "moment", ms: prng.pick([0, -1, 1.7e12, prng.below(4e12)]), ns };
  }

  #groups(): readonly (readonly LabelMatcher[])[] {
    return this.#some(() => this.#some(() => this.#matcher()));
  }

  #matcher(): LabelMatcher {
    const label = this.#name();
    const prng = this.#prng;
    switch (prng.below(3)) {
      case 0:
        return { label, op: prng.pick(["=", "!="]), value: this.#value() };
      case 1:
        return { label, op: prng.pick(["=~", "!~"]), value: prng.pick(patterns) };
      default: {
        const values = Array.from({ length: prng.below(3) }, () => this.#value());
        return { label, op: prng.pick(["in", "not_in"]), values };
      }
    }
  }

  #pipe(queryDepth: number): PipeNode {
    const prng = this.#prng;
    if (prng.chance(0.5)) {
      return drawTransform(prng, {
        name: () => this.#name(),
        text: () => this.#text(),
        value: () => this.#value(),
        some: (draw) => this.#some(draw),
        filter: () => (prng.chance(0.3) ? this.filter(1) : undefined),
        query: queryDepth > 0 ? () => this.query(queryDepth - 1) : undefined,
      });
    }
    const limit = prng.chance(0.5) ? prng.below(1000) : undefined;
    const selector = () => ({ name: this.#name(), prefix: prng.chance(0.3) });
    const pair = () => ({
      from: this.#name(),
      to: this.#name(),
      ...(prng.chance(0.2) && { prefix: true as const }),
    });
    const key = (): SortKey => ({ field: this.#name(), desc: prng.chance(0.5) });
    const pipes: readonly (() => PipeNode)[] = [
      () => ({ kind: "fields", fields: this.#some(selector) }),
      () => ({ kind: "fields", fields: [{ name: "", prefix: true }] }),
      () => ({ kind: "delete", fields: this.#some(selector) }),
      () => ({ kind: "rename", pairs: this.#some(pair) }),
      () => ({ kind: "copy", pairs: this.#some(pair) }),
      () => this.#stats(),
      () => ({
        kind: "sort",
        by: this.#some(key),
        offset: prng.pick([0, 7]),
        limit,
        ...(prng.chance(0.3) && { partitionBy: this.#some(() => this.#name()) }),
        ...(prng.chance(0.3) && { rankAs: this.#name() }),
      }),
      () => ({ kind: "limit", count: prng.below(1000) }),
      () => ({ kind: "offset", count: prng.below(1000) }),
      () => ({
        kind: "top",
        limit: prng.below(50),
        by: this.#some(() => this.#name()),
        hitsAs: this.#name(),
        ...(prng.chance(0.3) && { rankAs: this.#name() }),
      }),
      () => ({
        kind: "uniq",
        by: this.#some(() => this.#name()),
        hitsAs: prng.chance(0.5) ? this.#name() : undefined,
        limit,
      }),
      () => ({ kind: "filter", filter: this.filter(2) }),
      () => ({
        kind: "math",
        assignments: this.#some(() => ({ expression: this.#math(3), as: this.#name() })),
      }),
      () => this.#extract(),
      () => ({ kind: "fieldNames", as: this.#name() }),
      () => ({ kind: "fieldValues", field: this.#name(), limit }),
    ];
    return prng.pick(pipes)();
  }

  #stats(): PipeNode {
    const names = new Set<string>();
    const fresh = () => {
      let name = this.#name();
      while (names.has(name)) name += "x";
      names.add(name);
      return name;
    };
    const by = this.#prng.chance(0.3)
      ? []
      : this.#some(() => {
          const field = this.#prng.chance(0.3) && !names.has("_time") ? "_time" : fresh();
          names.add(field);
          return { field, bucket: this.#bucket(field) };
        });
    return { kind: "stats", by, functions: this.#some(() => this.#function(fresh())) };
  }

  #bucket(field: string): Bucket | undefined {
    const prng = this.#prng;
    if (prng.chance(0.5)) return undefined;
    if (field !== "_time" && prng.chance(0.2)) return { kind: "ipv4", bits: prng.below(33) };
    if (field !== "_time") {
      return { kind: "number", step: prng.pick([0.5, 1, 100]), offset: prng.pick([0, -3, 0.25]) };
    }
    if (prng.chance(0.3)) return { kind: "calendar", unit: prng.pick(["week", "month", "year"]) };
    const step = { ms: prng.pick([1, 1000, 300_000, 86_400_000]), ns: prng.pick([0, 0, 7]) };
    return { kind: "time", step, offset: { ms: prng.pick([0, 7_200_000, -1]), ns: 0 } };
  }

  #function(as: string): StatsFunction {
    const prng = this.#prng;
    const name: StatsName = prng.pick(statsNames);
    const isLimited = limitedNames.includes(name);
    const mayBeAll = ["count", "row_any", "rate", "json_values", "sum_len"].includes(name);
    return {
      name,
      args: mayBeAll && prng.chance(0.5) ? [] : this.#some(() => this.#name()),
      ...(prng.chance(0.2) && { prefixes: this.#some(() => this.#name()) }),
      phi: name === "quantile" ? prng.pick([0, 0.5, 0.99, 1]) : undefined,
      limit: isLimited && prng.chance(0.5) ? prng.below(100) : undefined,
      filter: prng.chance(0.3) ? this.filter(2) : undefined,
      as,
    };
  }

  #math(depth: number): MathNode {
    const prng = this.#prng;
    const choice = depth === 0 ? prng.below(2) : prng.below(5);
    switch (choice) {
      case 0:
        return { kind: "number", value: prng.pick([0, 1, -2, 0.5, 1e21, 1e-7, Infinity, -1e9]) };
      case 1:
        // In quotes it is an address, a number.
        return { kind: "field", field: this.#name().replace(/^[\d.]+$/, "x") };
      case 2: {
        const operand = this.#math(depth - 1);
        return operand.kind === "number" ? operand : { kind: "negate", operand };
      }
      case 3:
        return {
          kind: "binary",
          op: prng.pick(["^", "*", "/", "%", "+", "-", "&", "or", "xor", "default"]),
          left: this.#math(depth - 1),
          right: this.#math(depth - 1),
        };
      default: {
        if (prng.chance(0.2)) return { kind: "call", name: prng.pick(["now", "rand"]), args: [] };
        const name = prng.pick(["abs", "ceil", "exp", "floor", "ln", "sqrt", "round"] as const);
        if (prng.chance(0.5)) return { kind: "call", name, args: [this.#math(depth - 1)] };
        const args = this.#some(() => this.#math(depth - 1));
        return { kind: "call", name: prng.pick(["min", "max"]), args };
      }
    }
  }

  #extract(): ExtractPipe {
    const prng = this.#prng;
    const count = 1 + prng.below(3);
    const named = prng.below(count);
    const steps = Array.from({ length: count }, (_, i) => {
      const field = i === named ? this.#placeholder() : undefined;
      const literal = i === 0 && prng.chance(0.3) ? "" : this.#text();
      return { literal, field, plain: prng.chance(0.3) };
    });
    return {
      kind: "extract",
      pattern: { steps, tail: prng.pick(["", "]", "<&>", " end"]) },
      from: this.#name(),
      filter: prng.chance(0.3) ? this.filter(1) : undefined,
      keepOriginal: prng.chance(0.3),
      skipEmpty: prng.chance(0.3),
    };
  }

  /** White space around a placeholder's name is no part of it. */
  #placeholder(): string {
    const name = this.#name().trim();
    return name === "" || name === "_" || name.startsWith("plain:") ? "user" : name;
  }

  #some<T>(draw: () => T): readonly T[] {
    const all = [draw()];
    while (this.#prng.chance(0.4)) all.push(draw());
    return all;
  }

  #name(): string {
    const name = this.#prng.chance(0.7) ? this.#prng.pick(plainNames) : this.#text();
    return name === "_time" ? "_msg" : name;
  }

  /** Never empty. */
  #text(): string {
    if (this.#prng.chance(0.8)) return this.#prng.pick(texts);
    const length = 1 + this.#prng.below(6);
    return Array.from({ length }, () => this.#prng.pick(characters)).join("");
  }

  #value(): string {
    return this.#prng.chance(0.1) ? "" : this.#text();
  }
}

const plainNames = ["_msg", "_stream", "level", "http.status", "a-b", "x", "trace_id", "ключ"];

const texts = [
  "error",
  "disk is full",
  "a:b",
  "and",
  "OR",
  "not",
  "as",
  "by",
  "if",
  "limit",
  "hits",
  "desc",
  "in",
  "offset",
  "default",
  "inf",
  "nan",
  "-5",
  "10.0.0.1",
  "1e3",
  'say "hi"',
  "it's",
  "back\\slash",
  "tick`",
  "new\nline",
  "tab\t",
  "# comment",
  "a*",
  "*",
  "<user>",
  "&lt;",
  "(x)",
  "{y}",
  "[z]",
  "a,b",
  "a|b",
  "x=y",
  "~",
  "!",
  "полон",
  "🔥",
  "\u0000",
  "\u2028",
];

const characters = [..."aZ09_-.:*/\\\"'`()[]{}<>=!~|,;#&% \n\té🔥"];

const patterns = ["err|warn", "blk_-?[0-9]+77 ", "(?i)x", "^a.b$", "\\d+", "[\"'`]", "a{2,5}"];

const limitedNames: readonly StatsName[] = [
  "count_uniq",
  "count_uniq_hash",
  "json_values",
  "uniq_values",
  "values",
];

const queryOptions: readonly QueryOptions[] = [
  { concurrency: 2 },
  { ignoreGlobalTimeFilter: true },
  { concurrency: 1, ignoreGlobalTimeFilter: false },
];
