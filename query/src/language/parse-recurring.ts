import type { Duration, FilterNode } from "./ast.ts";
import { parseDuration } from "./duration.ts";
import { type Lexer, type Token, unexpected } from "./lexer.ts";

export const weekDays = [
  "sunday",
  "monday",
  "tuesday",
  "wednesday",
  "thursday",
  "friday",
  "saturday",
] as const;

/** `day_range[08:00, 18:00) offset 2h` and `week_range[Mon, Fri]`, after `_time:`. */
export function parseRecurring(lexer: Lexer): FilterNode {
  const isDay = lexer.next().text.toLowerCase() === "day_range";
  const open = lexer.next();
  if (open.kind !== "mark" || (open.text !== "[" && open.text !== "(")) {
    throw lexer.error(open, unexpected(open), { expected: '"[" or "("' });
  }
  const take = isDay ? takeMinute : takeDay;
  const start = take(lexer);
  lexer.expect(",");
  const end = take(lexer);
  const close = lexer.next();
  if (close.kind !== "mark" || (close.text !== "]" && close.text !== ")")) {
    throw lexer.error(close, unexpected(close), { expected: '"]" or ")"' });
  }
  return {
    kind: isDay ? "dayRange" : "weekRange",
    start,
    end,
    startInclusive: open.text === "[",
    endInclusive: close.text === "]",
    offset: takeOffset(lexer),
  };
}

function takeOffset(lexer: Lexer): Duration {
  if (!lexer.takeWord("offset")) return { ms: 0, ns: 0 };
  const token = lexer.next("value");
  const offset = parseDuration(token.text);
  if (offset !== undefined) return offset;
  throw lexer.error(token, "this is no duration", { expected: "a duration such as 2h" });
}

/** Minutes since midnight of `08:00`, at most 1,440. */
function takeMinute(lexer: Lexer): number {
  const token = takeRaw(lexer);
  const [, hours, minutes] = /^(\d{1,2}):(\d\d)$/.exec(token.text) ?? [];
  const minute = Number(hours) * 60 + Number(minutes);
  if (Number(minutes) < 60 && minute <= 1440) return minute;
  throw lexer.error(token, "this is no time of day", { expected: "hours and minutes as 08:00" });
}

function takeDay(lexer: Lexer): number {
  const token = takeRaw(lexer);
  const text = token.text.toLowerCase();
  const day = weekDays.findIndex((name) => text === name || text === name.slice(0, 3));
  if (day >= 0) return day;
  throw lexer.error(token, "this is no day of the week", { expected: "Sun, Mon, … or Sunday, …" });
}

function takeRaw(lexer: Lexer): Token {
  if (lexer.peek("value").kind === "string") return lexer.next("value");
  return lexer.takeRaw(",()[]|{}\"'`");
}
