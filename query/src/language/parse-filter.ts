import { checkRegex } from "../regex/pattern.ts";
import type { CompareNode, FilterNode } from "./ast.ts";
import { type Lexer, type Token, unexpected } from "./lexer.ts";
import { closestFunction, isFilterFunction, parseFilterFunction } from "./parse-filter-function.ts";
import { parseStreamSelector } from "./parse-stream.ts";
import { parseTimeFilter } from "./parse-time.ts";

const expectedFilter = "a word, a quoted phrase, field:value, {…} or (…)";

/** A filter up to `|`, a closing parenthesis or the end. `field` is where bare words look. */
export function parseFilter(lexer: Lexer, field = "_msg"): FilterNode {
  return parseOr(lexer, { field, afterColon: false });
}

interface Place {
  readonly field: string;
  /** Right after `field:`, where one filter stands and no other field is named. */
  readonly afterColon: boolean;
}

function parseOr(lexer: Lexer, place: Place): FilterNode {
  const parts = [parseAnd(lexer, place)];
  while (lexer.takeWord("or")) parts.push(parseAnd(lexer, place));
  return combined("or", parts);
}

function parseAnd(lexer: Lexer, place: Place): FilterNode {
  const parts = [parseNot(lexer, place)];
  while (!endsAnd(lexer)) {
    lexer.takeWord("and");
    parts.push(parseNot(lexer, place));
  }
  return combined("and", parts);
}

function endsAnd(lexer: Lexer): boolean {
  const { kind, text } = lexer.peek();
  if (kind === "end") return true;
  // A comma ends a filter only where a list of assignments goes on, which its pipe knows.
  if (kind === "mark") return text === "|" || text === ")" || text === "," || text === "}";
  return lexer.seesWord("or");
}

/** One part stays itself; parts of the same kind are taken up. */
function combined(kind: "and" | "or", parts: readonly FilterNode[]): FilterNode {
  const [only] = parts;
  if (parts.length === 1 && only !== undefined) return only;
  return { kind, parts: parts.flatMap((part) => (part.kind === kind ? part.parts : [part])) };
}

function parseNot(lexer: Lexer, place: Place): FilterNode {
  // `celsius:-5` asks for a number; elsewhere a dash negates.
  if (place.afterColon && /^-\.?\d/.test(lexer.peek("value").text)) {
    return parseText(lexer, place, lexer.next("value"));
  }
  const isNegated = lexer.take("!") || lexer.take("-") || lexer.takeWord("not");
  if (!isNegated) return parseLeaf(lexer, place);
  return lexer.nested(() => ({ kind: "not", part: parseNot(lexer, place) }));
}

function parseLeaf(lexer: Lexer, place: Place): FilterNode {
  const token = lexer.peek();
  if (token.kind === "end") throw missing(lexer, token);
  if (token.kind === "mark") return parseMarked(lexer, place);
  if (lexer.seesWord("and", "or")) {
    throw lexer.error(token, `"${token.text}" stands where a filter is expected`, {
      expected: expectedFilter,
      suggestion: `"${token.text}"`,
    });
  }
  lexer.next();
  if (lexer.sees(":")) return parseField(lexer, place, token);
  return parseText(lexer, place, token);
}

/** A word or a quoted text, which has been taken, with what adjoins it. */
function parseText(lexer: Lexer, place: Place, token: Token): FilterNode {
  if (token.kind === "word" && (lexer.seesAdjacent("(") || lexer.seesAdjacent("["))) {
    return parseFunction(lexer, place.field, token);
  }
  if (token.kind === "word" && !lexer.peek().spaced && isComparison(lexer.peek())) {
    throw lexer.error(lexer.peek(), "a field is followed by a colon", {
      expected: '":"',
      suggestion: `${token.text}:${lexer.peek().text}`,
    });
  }
  if (lexer.seesAdjacent("*")) {
    lexer.next();
    refuseAdjacent(lexer, token);
    if (token.text === "") return { kind: "exists", field: place.field };
    return { kind: "prefix", field: place.field, text: token.text, ignoreCase: false };
  }
  if (token.text === "") return { kind: "empty", field: place.field };
  return { kind: "phrase", field: place.field, text: token.text, ignoreCase: false };
}

function parseField(lexer: Lexer, place: Place, name: Token): FilterNode {
  const colon = lexer.next();
  if (place.afterColon) {
    throw lexer.error(colon, "a value with a colon in it stands in quotes", {
      suggestion: `"${name.text}:…"`,
    });
  }
  const field = name.text === "" ? "_msg" : name.text;
  if (field === "_time") return parseTimeFilter(lexer);
  return parseNot(lexer, { field, afterColon: true });
}

function isComparison({ kind, text }: Token): boolean {
  return kind === "mark" && ["=", "!=", "=~", "!~", "<", "<=", ">", ">=", "~"].includes(text);
}

/** A filter that starts with a sign. */
function parseMarked(lexer: Lexer, place: Place): FilterNode {
  const token = lexer.next();
  const { field } = place;
  switch (token.text) {
    case "(": {
      const inner = lexer.nested(() => parseOr(lexer, { field, afterColon: false }));
      lexer.expect(")");
      return inner;
    }
    case "{":
      if (place.afterColon && field !== "_stream") {
        throw lexer.error(token, "a stream selector stands alone or after _stream:", {
          suggestion: "_stream:{…}",
        });
      }
      return parseStreamSelector(lexer);
    case "*":
      return parseStarred(lexer, place);
    case "=":
      return parseExact(lexer, field);
    case "!=":
      return { kind: "not", part: parseExact(lexer, field) };
    case "~":
    case "=~":
      return parseRegex(lexer, field);
    case "!~":
      return { kind: "not", part: parseRegex(lexer, field) };
    case ">":
    case ">=":
    case "<":
    case "<=":
      return parseComparison(lexer, field, token.text);
    default:
      throw missing(lexer, token);
  }
}

/** `*` alone, or `*text*`. */
function parseStarred(lexer: Lexer, { field, afterColon }: Place): FilterNode {
  const text = lexer.peek();
  if (text.spaced || (text.kind !== "word" && text.kind !== "string")) {
    return afterColon || field !== "_msg" ? { kind: "exists", field } : { kind: "any" };
  }
  lexer.next();
  if (!lexer.seesAdjacent("*")) {
    throw lexer.error(text, "a text after * needs another * behind it", {
      expected: '"*"',
      suggestion: `*${text.text}*`,
    });
  }
  lexer.next();
  refuseAdjacent(lexer, text);
  if (text.text === "") return { kind: "exists", field };
  return { kind: "substring", field, text: text.text };
}

/** After the closing star of a text nothing may be glued on. */
function refuseAdjacent(lexer: Lexer, text: Token): void {
  const { spaced, kind } = lexer.peek();
  if (spaced || (kind !== "word" && kind !== "string")) return;
  throw lexer.error(lexer.peek(), "a star stands at the end of a text only", {
    suggestion: `~"${text.text}.*…"`,
  });
}

function parseExact(lexer: Lexer, field: string): FilterNode {
  if (lexer.sees("*", "value")) {
    lexer.next("value");
    return { kind: "any" };
  }
  const { text } = takeOperand(lexer, "the whole value");
  if (lexer.seesAdjacent("*")) {
    lexer.next();
    return text === "" ? { kind: "any" } : { kind: "exactPrefix", field, value: text };
  }
  return text === "" ? { kind: "empty", field } : { kind: "exact", field, value: text };
}

function parseRegex(lexer: Lexer, field: string): FilterNode {
  const token = takeOperand(lexer, "a regular expression in quotes");
  checkRegex(token.text, (message) => lexer.error(token, message));
  return { kind: "regex", field, pattern: token.text };
}

function parseComparison(lexer: Lexer, field: string, op: CompareNode["op"]): FilterNode {
  if (lexer.seesAdjacent("=")) {
    throw lexer.error(lexer.peek(), 'unexpected "="', { suggestion: `${op}=` });
  }
  return { kind: "compare", field, op, value: takeOperand(lexer, "a number or a text").text };
}

function takeOperand(lexer: Lexer, expected: string): Token {
  const token = lexer.next("value");
  if (token.kind !== "word" && token.kind !== "string") {
    throw lexer.error(token, unexpected(token), { expected });
  }
  if (lexer.seesAdjacent(":")) {
    throw lexer.error(lexer.peek(), "a value with a colon in it stands in quotes", {
      suggestion: `"${token.text}:…"`,
    });
  }
  return token;
}

function parseFunction(lexer: Lexer, field: string, name: Token): FilterNode {
  if (isFilterFunction(name.text)) return parseFilterFunction(lexer, field, name);
  throw unknownFunction(lexer, name);
}

function unknownFunction(lexer: Lexer, name: Token) {
  const suggestion = closestFunction(name.text) ?? `"${name.text}" (…`;
  return lexer.error(name, `unknown filter function "${name.text.slice(0, 40)}"`, { suggestion });
}

function missing(lexer: Lexer, token: Token) {
  const isStart = lexer.source.slice(0, token.start).trim() === "";
  return lexer.error(token, token.kind === "end" ? "a filter is missing" : unexpected(token), {
    expected: expectedFilter,
    suggestion: isStart ? "* matches every record" : undefined,
  });
}
