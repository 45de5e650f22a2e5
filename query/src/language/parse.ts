import type { FilterNode, PipeNode, Query, QueryOptions } from "./ast.ts";
import { Lexer, unexpected } from "./lexer.ts";
import { countMax, queryBytesMax } from "./limits.ts";
import { parseFilter as parseFilterFrom } from "./parse-filter.ts";
import { parsePipe } from "./parse-pipe.ts";
import { takeCount, takeText } from "./parse-values.ts";
import { closest, syntaxError } from "./syntax-error.ts";

/**
 * Reads a query. Throws `query.syntax` with `line`, `column`, `near` and, where there is something to
 * say, `expected` and `suggestion`.
 */
export function parseQuery(text: string): Query {
  const lexer = lexerOf(text);
  const query = parseFrom(lexer);
  expectEnd(lexer, 'AND, OR, "|" or the end');
  return query;
}

/** Reads a filter without pipes, as `parseQuery` does. */
export function parseFilter(text: string): FilterNode {
  const lexer = lexerOf(text);
  const filter = parseFilterFrom(lexer);
  expectEnd(lexer, "AND, OR or the end");
  return filter;
}

function parseFrom(lexer: Lexer): Query {
  const options = parseOptions(lexer);
  const filter = parseFilterFrom(lexer);
  const pipes: PipeNode[] = [];
  while (lexer.take("|")) pipes.push(parsePipe(lexer));
  return options === undefined ? { filter, pipes } : { options, filter, pipes };
}

function lexerOf(text: string): Lexer {
  if (Buffer.byteLength(text) > queryBytesMax) {
    throw syntaxError(text, 0, "the query is too long", {
      expected: `at most ${queryBytesMax} bytes`,
    });
  }
  return new Lexer(text, (lexer) => lexer.nested(() => parseFrom(lexer)));
}

/** `options(concurrency=2)` in front of a query; a word `options` alone is looked for. */
function parseOptions(lexer: Lexer): QueryOptions | undefined {
  if (!lexer.seesWord("options") || lexer.source[lexer.peek().end] !== "(") return undefined;
  lexer.next();
  lexer.expect("(");
  let options: QueryOptions = {};
  if (lexer.take(")")) return undefined;
  do options = { ...options, ...parseOption(lexer) };
  while (lexer.take(","));
  lexer.expect(")", "filter", { expected: '"," or ")"' });
  return options;
}

const optionNames = ["concurrency", "ignore_global_time_filter"];

function parseOption(lexer: Lexer): QueryOptions {
  const name = takeText(lexer, "the name of an option");
  lexer.expect("=");
  const value = lexer.peek("value");
  switch (name.text) {
    case "concurrency":
      return { concurrency: Math.max(1, takeCount(lexer, countMax)) };
    case "ignore_global_time_filter":
      lexer.next("value");
      if (value.text === "true" || value.text === "false") {
        return { ignoreGlobalTimeFilter: value.text === "true" };
      }
      throw lexer.error(value, unexpected(value), { expected: "true or false" });
    default:
      throw lexer.error(name, `unknown option "${name.text.slice(0, 40)}"`, {
        expected: `one of ${optionNames.join(", ")}`,
        suggestion: closest(name.text, optionNames),
      });
  }
}

function expectEnd(lexer: Lexer, expected: string): void {
  const token = lexer.peek();
  if (token.kind === "end") return;
  const suggestion =
    token.text === ")" ? 'a ")" too many, or a "(" is missing before it' : undefined;
  throw lexer.error(token, unexpected(token), { expected, suggestion });
}
