import { compileRegex } from "../regex/regex.ts";
import type { FilterNode } from "./ast.ts";
import { type Lexer, type Token, unexpected } from "./lexer.ts";
import { parseCall } from "./parse-call.ts";
import { parseStream } from "./parse-stream.ts";
import { parseTimeFilter } from "./parse-time.ts";

const messageField = "_msg";

/** `a or b c !d`: `or` binds weakest, then `and` (which may be left out), then negation. */
export function parseFilter(lexer: Lexer, field: string = messageField): FilterNode {
  const parts = [parseAnd(lexer, field)];
  while (lexer.takeWord("or")) parts.push(parseAnd(lexer, field));
  return joined("or", parts);
}

function parseAnd(lexer: Lexer, field: string): FilterNode {
  const parts = [parseNot(lexer, field)];
  for (;;) {
    if (lexer.takeWord("and")) parts.push(parseNot(lexer, field));
    else if (endsFilter(lexer)) return joined("and", parts);
    else parts.push(parseNot(lexer, field));
  }
}

function endsFilter(lexer: Lexer): boolean {
  const { kind } = lexer.peek();
  return (
    kind === "end" || lexer.sees("|") || lexer.sees(")") || lexer.sees(",") || lexer.seesWord("or")
  );
}

/** Parts of the same kind are taken up, so that no `and` stands in an `and`. */
function joined(kind: "and" | "or", parts: readonly FilterNode[]): FilterNode {
  const flat = parts.flatMap((part) => (part.kind === kind ? part.parts : [part]));
  return flat.length === 1 ? (flat[0] as FilterNode) : { kind, parts: flat };
}

function parseNot(lexer: Lexer, field: string): FilterNode {
  if (lexer.take("!") || lexer.take("-") || lexer.takeWord("not")) {
    const part = lexer.nested(() => parseNot(lexer, field));
    return part.kind === "not" ? part.part : { kind: "not", part };
  }
  return parsePart(lexer, field);
}

function parsePart(lexer: Lexer, field: string): FilterNode {
  if (lexer.take("(")) {
    const inner = lexer.nested(() => parseFilter(lexer, field));
    lexer.expect(")");
    return inner;
  }
  if (lexer.sees("{")) return parseStream(lexer);
  const token = lexer.peek();
  if (token.kind === "word" || token.kind === "string") {
    lexer.next();
    if (lexer.seesAdjacent(":")) {
      lexer.next();
      return parseField(lexer, token.text);
    }
    return parseText(lexer, field, token);
  }
  return parseOperator(lexer, field);
}

/** What stands behind `field:`. */
function parseField(lexer: Lexer, field: string): FilterNode {
  if (field === "_time") return parseTimeFilter(lexer);
  if (field === "_stream" && lexer.sees("{")) return parseStream(lexer);
  if (lexer.take("(")) {
    const inner = lexer.nested(() => parseFilter(lexer, field));
    lexer.expect(")");
    return inner;
  }
  if (lexer.take("!")) {
    // `field:!x`, and `field:!=x`, whose mark is one.
    return { kind: "not", part: lexer.nested(() => parseField(lexer, field)) };
  }
  const token = lexer.peek("value");
  if (token.kind === "word" || token.kind === "string") {
    lexer.next("value");
    return parseText(lexer, field, token);
  }
  return parseOperator(lexer, field);
}

/** A word or phrase, with what may adjoin it: `*`, or arguments. */
function parseText(lexer: Lexer, field: string, token: Token): FilterNode {
  if (token.kind === "word" && lexer.seesAdjacent("(")) return parseCall(lexer, field, token);
  if (token.kind === "word" && token.text.toLowerCase() === "range" && lexer.seesAdjacent("[")) {
    return parseCall(lexer, field, token);
  }
  if (lexer.seesAdjacent("*")) {
    lexer.next();
    if (token.text === "") return { kind: "exists", field };
    return { kind: "prefix", field, text: token.text, ignoreCase: false };
  }
  if (token.text === "") return { kind: "empty", field };
  return { kind: "phrase", field, text: token.text, ignoreCase: false };
}

function parseOperator(lexer: Lexer, field: string): FilterNode {
  const token = lexer.next();
  switch (token.kind === "mark" ? token.text : "") {
    case "*":
      return parseStar(lexer, field);
    case "~":
    case "=~":
      return regexOf(lexer, field);
    case "!~":
      return { kind: "not", part: regexOf(lexer, field) };
    case "=":
      return exactOf(lexer, field);
    case "!=":
      return { kind: "not", part: exactOf(lexer, field) };
    case ">":
    case ">=":
    case "<":
    case "<=":
      return {
        kind: "compare",
        field,
        op: token.text as ">",
        value: textOf(lexer, "a value to compare with"),
      };
    default:
      throw lexer.error(token, unexpected(token), {
        expected: "a word, a quoted phrase, field:value or (",
      });
  }
}

/** `*` is everything, `field:*` what has the field, `*text*` what contains it anywhere. */
function parseStar(lexer: Lexer, field: string): FilterNode {
  const token = lexer.peek("value");
  if (token.spaced || (token.kind !== "word" && token.kind !== "string")) {
    return field === messageField ? { kind: "any" } : { kind: "exists", field };
  }
  lexer.next("value");
  if (!lexer.seesAdjacent("*")) {
    throw lexer.error(token, "a text after * is closed by another *", {
      expected: `*${token.text}*`,
    });
  }
  lexer.next();
  return { kind: "substring", field, text: token.text };
}

function regexOf(lexer: Lexer, field: string): FilterNode {
  const at = lexer.peek("value");
  const pattern = textOf(lexer, "a regular expression in quotes");
  try {
    compileRegex(pattern);
  } catch (thrown) {
    throw lexer.error(at, thrown instanceof Error ? thrown.message : String(thrown), {
      expected: "a regular expression in RE2's syntax",
    });
  }
  return { kind: "regex", field, pattern };
}

function exactOf(lexer: Lexer, field: string): FilterNode {
  const value = textOf(lexer, "a value");
  if (lexer.seesAdjacent("*")) {
    lexer.next();
    return { kind: "exactPrefix", field, value };
  }
  return { kind: "exact", field, value };
}

/** A word or a quoted text; a word may hold what is a mark elsewhere only in quotes. */
function textOf(lexer: Lexer, expected: string): string {
  const token = lexer.next("value");
  if (token.kind === "word" || token.kind === "string") return token.text;
  throw lexer.error(token, unexpected(token), { expected });
}
