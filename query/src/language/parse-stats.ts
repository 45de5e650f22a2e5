import type { Bucket, CalendarUnit, GroupKey, PipeNode, StatsFunction, StatsName } from "./ast.ts";
import { durationOf, parseDuration } from "./duration.ts";
import { type Lexer, type Token, unexpected } from "./lexer.ts";
import { parseNumeric } from "./numeric.ts";
import { parseIf, parseName } from "./parse-parts.ts";
import { closest } from "./syntax-error.ts";

const names: readonly StatsName[] = [
  "count",
  "count_empty",
  "count_uniq",
  "sum",
  "avg",
  "min",
  "max",
  "median",
  "quantile",
  "uniq_values",
  "values",
  "row_any",
];

/** Which of them keep values, and so take a `limit`. */
const limited = new Set<StatsName>(["count_uniq", "uniq_values", "values"]);

const calendarUnits: readonly CalendarUnit[] = ["week", "month", "year"];

/** `stats by (a, _time:5m) count() n, sum(x) if (filter) as s`. */
export function parseStats(lexer: Lexer): PipeNode {
  const by: GroupKey[] = [];
  if (lexer.takeWord("by") || lexer.sees("(")) {
    lexer.expect("(");
    while (!lexer.take(")")) {
      if (by.length > 0) lexer.expect(",", "filter", { expected: '"," or ")"' });
      by.push(parseKey(lexer));
    }
  }
  const functions = [parseFunction(lexer)];
  while (lexer.take(",")) functions.push(parseFunction(lexer));
  return { kind: "stats", by, functions };
}

function parseKey(lexer: Lexer): GroupKey {
  const field = parseName(lexer, "a field");
  if (!lexer.seesAdjacent(":")) return { field, bucket: undefined };
  lexer.next();
  const step = lexer.takeRaw("),");
  const offset = lexer.takeWord("offset") ? lexer.takeRaw("),") : undefined;
  return { field, bucket: bucketOf(lexer, field, step, offset) };
}

function bucketOf(lexer: Lexer, field: string, step: Token, offset: Token | undefined): Bucket {
  if (field !== "_time") {
    const width = parseNumeric(step.text);
    const shift = offset === undefined ? 0 : parseNumeric(offset.text);
    if (width !== undefined && width > 0 && shift !== undefined) {
      return { kind: "number", step: width, offset: shift };
    }
    throw lexer.error(step, "a bucket's width is a number above zero", {
      expected: "as 10 or 1KiB",
    });
  }
  const unit = calendarUnits.find((each) => each === step.text);
  if (unit !== undefined) return { kind: "calendar", unit };
  const named = { second: "1s", minute: "1m", hour: "1h", day: "1d" }[step.text] ?? step.text;
  const width = parseDuration(named);
  const shift = offset === undefined ? durationOf(0n) : parseDuration(offset.text);
  if (
    width !== undefined &&
    (width.ms > 0 || (width.ms === 0 && width.ns > 0)) &&
    shift !== undefined
  ) {
    return { kind: "time", step: width, offset: shift };
  }
  throw lexer.error(step, "a bucket of time has a length", { expected: "as 5m, 1h, day or month" });
}

function parseFunction(lexer: Lexer): StatsFunction {
  const token = lexer.next();
  const name = names.find((each) => each === token.text.toLowerCase());
  if (token.kind !== "word" || name === undefined) {
    const what =
      token.kind === "word" ? `there is no function ${token.text.slice(0, 40)}` : unexpected(token);
    throw lexer.error(token, what, {
      expected: `one of ${names.join(", ")}`,
      suggestion: token.kind === "word" ? closest(token.text, names) : undefined,
    });
  }
  const { args, phi } = parseArguments(lexer, name, token);
  const text = `${name}(${[...(phi === undefined ? [] : [String(phi)]), ...(args.length === 0 ? ["*"] : args)].join(", ")})`;
  const limit = limited.has(name) && lexer.takeWord("limit") ? limitOf(lexer) : undefined;
  const filter = parseIf(lexer);
  const as = parseAs(lexer) ?? text;
  return { name, args, phi, limit, filter, as };
}

function parseArguments(lexer: Lexer, name: StatsName, token: Token) {
  lexer.expect("(");
  const args: string[] = [];
  while (!lexer.take(")")) {
    if (args.length > 0) lexer.expect(",", "value", { expected: '"," or ")"' });
    if (lexer.take("*")) continue;
    args.push(parseName(lexer, "a field"));
  }
  if (name !== "quantile") {
    if (args.length === 0 && name === "median") {
      throw lexer.error(token, "median needs a field", { expected: "median(field)" });
    }
    return { args, phi: undefined };
  }
  const [first, ...fields] = args;
  const phi = first === undefined ? undefined : parseNumeric(first);
  if (phi === undefined || !(phi >= 0 && phi <= 1) || fields.length === 0) {
    throw lexer.error(token, "quantile takes a share and a field", {
      expected: "quantile(0.99, field)",
    });
  }
  return { args: fields, phi };
}

function limitOf(lexer: Lexer): number {
  const token = lexer.next("value");
  if (/^[1-9]\d{0,8}$/.test(token.text)) return Number(token.text);
  throw lexer.error(token, unexpected(token), { expected: "a whole number" });
}

/** `as n` or only `n`. */
function parseAs(lexer: Lexer): string | undefined {
  if (lexer.takeWord("as")) return parseName(lexer, "the result's name");
  const { kind } = lexer.peek();
  return kind === "word" || kind === "string" ? parseName(lexer, "the result's name") : undefined;
}
