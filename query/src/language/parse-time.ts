import type { FilterNode, TimeBound, TimeNode } from "./ast.ts";
import { parseDurationNanos } from "./duration.ts";
import type { Lexer, Token } from "./lexer.ts";
import { unexpected } from "./lexer.ts";
import { parseRecurring } from "./parse-recurring.ts";
import { agoBound, agoPoint, boundEarlier, parseTimePoint, type TimeSpan } from "./time-point.ts";

const expectedTime = "a duration such as 5m, a date, an RFC 3339 time, now-1h, or [from, to)";

/** What follows `_time:`. */
export function parseTimeFilter(lexer: Lexer): FilterNode {
  if (lexer.take("*")) return { kind: "any" };
  if (lexer.seesWord("day_range", "week_range")) return parseRecurring(lexer);
  const isOffsetOnly = lexer.seesWord("offset");
  const range = isOffsetOnly
    ? { kind: "time" as const, from: undefined, to: agoBound(-1n) }
    : parseRange(lexer);
  if (!lexer.takeWord("offset")) return range;
  const token = timeText(lexer);
  const nanos = parseDurationNanos(token.text);
  if (nanos === undefined) {
    throw lexer.error(token, "this is no duration", { expected: "a duration such as 1h30m" });
  }
  const shift = (bound: TimeBound | undefined) =>
    bound === undefined ? undefined : checked(lexer, token, boundEarlier(bound, nanos));
  return { kind: "time", from: shift(range.from), to: shift(range.to) };
}

function parseRange(lexer: Lexer): TimeNode {
  const open = lexer.peek();
  if (lexer.sees("[") || lexer.sees("(")) return parseInterval(lexer, lexer.next());
  if (open.kind === "mark") {
    lexer.next();
    const isDuration = parseDurationNanos(lexer.peek("value").text) !== undefined;
    const { start, end } = timeSpan(lexer, timeText(lexer));
    // `_time:>5m` means older than five minutes: its length is compared, not its moment.
    const op = isDuration ? (flipped[open.text] ?? open.text) : open.text;
    if (op === "=") return { kind: "time", from: start, to: end };
    if (op === ">") return { kind: "time", from: end, to: undefined };
    if (op === ">=") return { kind: "time", from: start, to: undefined };
    if (op === "<") return { kind: "time", from: undefined, to: start };
    if (op === "<=") return { kind: "time", from: undefined, to: end };
    throw lexer.error(open, unexpected(open), { expected: expectedTime });
  }
  const token = timeText(lexer);
  const nanos = parseDurationNanos(token.text);
  if (nanos !== undefined) {
    // From just after `now − d` up to now itself, as the last five minutes are meant.
    return { kind: "time", from: agoPoint(nanos).end, to: agoBound(-1n) };
  }
  const { start, end } = timeSpan(lexer, token);
  return { kind: "time", from: start, to: end };
}

const flipped: Readonly<Record<string, string>> = { ">": "<", ">=": "<=", "<": ">", "<=": ">=" };

function parseInterval(lexer: Lexer, open: Token): TimeNode {
  const from = timeSpan(lexer, timeText(lexer));
  lexer.expect(",");
  const to = timeSpan(lexer, timeText(lexer));
  const close = lexer.next();
  if (close.kind !== "mark" || (close.text !== "]" && close.text !== ")")) {
    throw lexer.error(close, unexpected(close), { expected: '"]" or ")"' });
  }
  return {
    kind: "time",
    from: open.text === "[" ? from.start : from.end,
    to: close.text === "]" ? to.end : to.start,
  };
}

function timeText(lexer: Lexer): Token {
  if (lexer.peek("value").kind === "string") return lexer.next("value");
  // Times hold colons and dashes, which are signs elsewhere.
  return lexer.takeRaw(",()[]|{}\"'`");
}

function timeSpan(lexer: Lexer, token: Token): TimeSpan {
  const nanos = parseDurationNanos(token.text);
  const span = nanos === undefined ? parseTimePoint(token.text) : agoPoint(nanos);
  if (span === undefined) {
    const message = token.text === "" ? "a time is missing" : "this is no time";
    throw lexer.error(token, message, { expected: expectedTime });
  }
  checked(lexer, token, span.start);
  checked(lexer, token, span.end);
  return span;
}

const firstMs = Date.parse("0001-01-01T00:00:00Z");
const lastMs = Date.UTC(9999, 11, 31);

/** Years that RFC 3339 can write. */
function checked(lexer: Lexer, token: Token, bound: TimeBound): TimeBound {
  if (bound.kind === "moment" && !(bound.ms >= firstMs && bound.ms <= lastMs)) {
    throw lexer.error(token, "this time is out of range", { expected: "a year from 1 to 9999" });
  }
  return bound;
}
