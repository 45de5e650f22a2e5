import type { FilterNode, TimeBound } from "./ast.ts";
import { parseDurationNanos } from "./duration.ts";
import { type Lexer, type Token, unexpected } from "./lexer.ts";
import { agoBound, boundEarlier, parseTimePoint, type TimeSpan } from "./time-point.ts";

const expected = "a span as 5m, a time as 2026-11-20T10:00:00Z, or [from, to)";

/** What stands behind `_time:`: `5m`, `2026-11-20`, `[a, b)`, `>a`, each perhaps with `offset 1h`. */
export function parseTimeFilter(lexer: Lexer): FilterNode {
  const { from, to } = parseSpan(lexer);
  if (!lexer.takeWord("offset")) return { kind: "time", from, to };
  const token = lexer.takeRaw(")|,");
  const nanos = parseDurationNanos(token.text);
  if (nanos === undefined) {
    throw lexer.error(token, "an offset is a length of time", { expected: "as 1h or 7d" });
  }
  return { kind: "time", from: earlier(from, nanos), to: earlier(to, nanos) };
}

interface Bounds {
  readonly from: TimeBound | undefined;
  readonly to: TimeBound | undefined;
}

function parseSpan(lexer: Lexer): Bounds {
  const op = lexer.peek("value");
  if (op.kind === "mark") {
    lexer.next("value");
    switch (op.text) {
      case "[":
      case "(":
        return parseInterval(lexer, op.text === "[");
      case ">":
        return { from: point(lexer).end, to: undefined };
      case ">=":
        return { from: point(lexer).start, to: undefined };
      case "<":
        return { from: undefined, to: point(lexer).start };
      case "<=":
        return { from: undefined, to: point(lexer).end };
      case "=":
        return spanOf(point(lexer));
      default:
        throw lexer.error(op, unexpected(op), { expected });
    }
  }
  const token = lexer.takeRaw(")|,");
  const nanos = parseDurationNanos(token.text);
  if (nanos !== undefined) return { from: agoBound(nanos), to: agoBound(0n) };
  return spanOf(pointOf(lexer, token));
}

/** `[a, b)`: a round bracket leaves its whole end out. */
function parseInterval(lexer: Lexer, includesStart: boolean): Bounds {
  const first = pointOf(lexer, lexer.takeRaw(",])"));
  lexer.expect(",", "value");
  const second = pointOf(lexer, lexer.takeRaw(",])"));
  const close = lexer.next("value");
  if (close.kind !== "mark" || (close.text !== "]" && close.text !== ")")) {
    throw lexer.error(close, unexpected(close), { expected: '"]" or ")"' });
  }
  return {
    from: includesStart ? first.start : first.end,
    to: close.text === "]" ? second.end : second.start,
  };
}

function point(lexer: Lexer): TimeSpan {
  return pointOf(lexer, lexer.takeRaw(")|,"));
}

function pointOf(lexer: Lexer, token: Token): TimeSpan {
  const text = token.text.replace(/^"(.*)"$/, "$1");
  const span = parseTimePoint(text);
  if (span !== undefined) return span;
  throw lexer.error(token, text === "" ? "a time is missing" : "this is no time", { expected });
}

function spanOf({ start, end }: TimeSpan): Bounds {
  return { from: start, to: end };
}

function earlier(at: TimeBound | undefined, nanos: bigint): TimeBound | undefined {
  return at === undefined ? undefined : boundEarlier(at, nanos);
}
