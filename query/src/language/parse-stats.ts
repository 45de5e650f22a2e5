import type { Bucket, FilterNode, GroupKey, StatsFunction, StatsName, StatsPipe } from "./ast.ts";
import { parseDuration } from "./duration.ts";
import { type Lexer, type Token, unexpected } from "./lexer.ts";
import { countMax } from "./limits.ts";
import { parseNumeric } from "./numeric.ts";
import { parseFilter } from "./parse-filter.ts";
import { takeCount, takeField, takeText } from "./parse-values.ts";
import { printStatsFunction } from "./print.ts";
import { statsNames } from "./stats-names.ts";
import { closest } from "./syntax-error.ts";

/** Functions that may be without fields, and then look at all of them or at rows alone. */
const withoutFields: ReadonlySet<StatsName> = new Set([
  "count",
  "json_values",
  "rate",
  "row_any",
  "sum_len",
]);

const limited: ReadonlySet<StatsName> = new Set([
  "count_uniq",
  "count_uniq_hash",
  "json_values",
  "uniq_values",
  "values",
]);

export function isStatsName(name: string): name is StatsName {
  return (statsNames as readonly string[]).includes(name);
}

/** What follows `stats`: `by (keys)`, `(keys)` or nothing, then functions. */
export function parseStats(lexer: Lexer): StatsPipe {
  const by = lexer.takeWord("by") || lexer.sees("(") ? parseKeys(lexer) : [];
  const functions: StatsFunction[] = [];
  do {
    const start = lexer.peek();
    const each = parseFunction(lexer);
    if (functions.some(({ as }) => as === each.as) || by.some(({ field }) => field === each.as)) {
      throw lexer.error(start, `the name "${each.as.slice(0, 80)}" is given twice`, {
        suggestion: "give it a name of its own with as",
      });
    }
    functions.push(each);
  } while (lexer.take(","));
  return { kind: "stats", by, functions };
}

function parseKeys(lexer: Lexer): readonly GroupKey[] {
  const keys: GroupKey[] = [];
  const hint = { expected: "the fields to group by in parentheses", suggestion: "by (…)" };
  lexer.expect("(", "filter", hint);
  if (lexer.take(")")) return keys;
  do {
    const start = lexer.peek("value");
    const field = takeField(lexer);
    if (keys.some((key) => key.field === field)) {
      throw lexer.error(start, `the field "${field.slice(0, 80)}" is grouped by twice`);
    }
    keys.push({ field, bucket: lexer.take(":") ? parseBucket(lexer, field) : undefined });
  } while (lexer.take(","));
  lexer.expect(")", "filter", { expected: '":", "," or ")"' });
  return keys;
}

const namedSteps: Readonly<Record<string, string>> = {
  nanosecond: "1ns",
  microsecond: "1us",
  millisecond: "1ms",
  second: "1s",
  minute: "1m",
  hour: "1h",
  day: "1d",
};

function parseBucket(lexer: Lexer, field: string): Bucket {
  const token = takeText(lexer, "a step such as 5m");
  if (field === "_time") return timeBucket(lexer, token);
  const [, bits] = /^\/(\d{1,2})$/.exec(token.text) ?? [];
  if (bits !== undefined && Number(bits) <= 32) return { kind: "ipv4", bits: Number(bits) };
  return numberBucket(lexer, token);
}

function timeBucket(lexer: Lexer, token: Token): Bucket {
  const { text } = token;
  // A week that is no multiple of days since the epoch begins on Monday.
  const unit = text === "1w" ? "week" : text;
  if (unit === "week" || unit === "month" || unit === "year") return { kind: "calendar", unit };
  const step = parseDuration(namedSteps[text] ?? text);
  if (step === undefined || step.ms < 0 || (step.ms === 0 && step.ns === 0)) {
    throw lexer.error(token, "this is no step of time", {
      expected: "a duration such as 5m, or hour, day, week, month, year",
    });
  }
  if (!lexer.takeWord("offset")) return { kind: "time", step, offset: { ms: 0, ns: 0 } };
  const at = lexer.next("value");
  const offset = parseDuration(at.text);
  if (offset !== undefined) return { kind: "time", step, offset };
  throw lexer.error(at, "this is no duration", { expected: "a duration such as 2h" });
}

function numberBucket(lexer: Lexer, token: Token): Bucket {
  const step = parseNumeric(token.text);
  if (step === undefined || !(step > 0 && step < Infinity)) {
    throw lexer.error(token, "this is no step", { expected: "a number above 0 such as 100" });
  }
  if (!lexer.takeWord("offset")) return { kind: "number", step, offset: 0 };
  const at = lexer.next("value");
  const offset = parseNumeric(at.text);
  if (offset !== undefined && Number.isFinite(offset)) return { kind: "number", step, offset };
  throw lexer.error(at, "this is no number", { expected: "a number such as 50" });
}

function parseFunction(lexer: Lexer): StatsFunction {
  const name = takeName(lexer);
  lexer.expect("(", "filter", { expected: `"(": ${name}(…)` });
  const phi = name === "quantile" ? takePhi(lexer) : undefined;
  const hasMore = phi === undefined || lexer.take(",", "value");
  const { args, prefixes } = hasMore ? takeArgs(lexer) : noArgs;
  const end = lexer.expect(")", "value", { expected: '"," or ")"' });
  if (args.length === 0 && prefixes.length === 0 && !withoutFields.has(name)) {
    throw lexer.error(end, `${name} needs a field to look at`, { suggestion: `${name}(field)` });
  }
  let limit: number | undefined;
  let filter: FilterNode | undefined;
  for (;;) {
    if (limit === undefined && lexer.seesWord("limit")) limit = takeLimit(lexer, name);
    else if (filter === undefined && lexer.takeWord("if")) filter = parseCondition(lexer);
    else break;
  }
  const unnamed = { name, args, ...(prefixes.length > 0 && { prefixes }), phi, limit, filter };
  return { ...unnamed, as: takeResultName(lexer) ?? printStatsFunction(unnamed) };
}

function takeName(lexer: Lexer): StatsName {
  const token = lexer.peek();
  const name = token.text.toLowerCase();
  if (token.kind === "word" && isStatsName(name)) {
    lexer.next();
    return name;
  }
  const hint = { expected: "a function, such as count()", suggestion: closest(name, statsNames) };
  const message =
    token.kind === "word" ? `unknown function "${token.text.slice(0, 40)}"` : unexpected(token);
  throw lexer.error(token, message, hint);
}

function takePhi(lexer: Lexer): number {
  const token = takeText(lexer, "a share from 0 to 1");
  const phi = parseNumeric(token.text);
  if (phi !== undefined && phi >= 0 && phi <= 1) return phi;
  throw lexer.error(token, "a quantile is a share from 0 to 1", {
    expected: "a number from 0 to 1",
    suggestion: phi !== undefined && phi <= 100 ? String(phi / 100) : "0.99",
  });
}

interface Args {
  readonly args: readonly string[];
  readonly prefixes: readonly string[];
}

const noArgs: Args = { args: [], prefixes: [] };

/** Fields up to the closing parenthesis; none and `*` mean all. */
function takeArgs(lexer: Lexer): Args {
  if (lexer.sees(")", "value")) return noArgs;
  if (lexer.take("*", "value")) return noArgs;
  const args: string[] = [];
  const prefixes: string[] = [];
  do {
    const field = takeField(lexer);
    const isPrefix = lexer.seesAdjacent("*") && lexer.take("*");
    (isPrefix ? prefixes : args).push(field);
  } while (lexer.take(",", "value"));
  return { args, prefixes };
}

function takeLimit(lexer: Lexer, name: StatsName): number {
  const token = lexer.next();
  if (!limited.has(name)) {
    throw lexer.error(token, `${name} takes no limit`);
  }
  return takeCount(lexer, countMax);
}

/** `(filter)` behind `if`. */
export function parseCondition(lexer: Lexer): FilterNode {
  lexer.expect("(", "filter", { expected: '"(" and a filter' });
  return lexer.nested(() => {
    const filter = parseFilter(lexer);
    lexer.expect(")");
    return filter;
  });
}

/** The result's name, with `as` or without. */
function takeResultName(lexer: Lexer): string | undefined {
  if (lexer.takeWord("as")) return takeField(lexer);
  const { kind } = lexer.peek("value");
  return kind === "word" || kind === "string" ? takeField(lexer) : undefined;
}
