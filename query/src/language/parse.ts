import type { FilterNode, PipeNode, Query } from "./ast.ts";
import { Lexer, unexpected } from "./lexer.ts";
import { queryBytesMax } from "./limits.ts";
import { parseFilter as parseFilterFrom } from "./parse-filter.ts";
import { parsePipe } from "./parse-pipe.ts";
import { syntaxError } from "./syntax-error.ts";

/**
 * Reads a query. Throws `query.syntax` with `line`, `column`, `near` and, where there is something to
 * say, `expected` and `suggestion`.
 */
export function parseQuery(text: string): Query {
  const lexer = lexerOf(text);
  const filter = parseFilterFrom(lexer);
  const pipes: PipeNode[] = [];
  while (lexer.take("|")) pipes.push(parsePipe(lexer));
  expectEnd(lexer, 'AND, OR, "|" or the end');
  return { filter, pipes };
}

/** Reads a filter without pipes, as `parseQuery` does. */
export function parseFilter(text: string): FilterNode {
  const lexer = lexerOf(text);
  const filter = parseFilterFrom(lexer);
  expectEnd(lexer, "AND, OR or the end");
  return filter;
}

function lexerOf(text: string): Lexer {
  if (Buffer.byteLength(text) > queryBytesMax) {
    throw syntaxError(text, 0, "the query is too long", {
      expected: `at most ${queryBytesMax} bytes`,
    });
  }
  return new Lexer(text);
}

function expectEnd(lexer: Lexer, expected: string): void {
  const token = lexer.peek();
  if (token.kind === "end") return;
  const suggestion =
    token.text === ")" ? 'a ")" too many, or a "(" is missing before it' : undefined;
  throw lexer.error(token, unexpected(token), { expected, suggestion });
}
