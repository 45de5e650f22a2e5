import { Buffer } from "node:buffer";
import { ServiceError } from "../../../kit/src/errors.ts";
import type { Query } from "./ast.ts";
import { Lexer, unexpected } from "./lexer.ts";
import { queryBytesMax } from "./limits.ts";
import { parseFilter } from "./parse-filter.ts";
import { parsePipe } from "./parse-pipe.ts";

/**
 * Reads a query: a filter, then pipes. Throws `query.syntax` with line and column (from 1), what was
 * expected and a suggestion. Times may be relative: see `resolveTimes`.
 */
export function parseQuery(text: string): Query {
  if (Buffer.byteLength(text) > queryBytesMax) {
    throw new ServiceError("query.syntax", "the query is too long", { queryBytesMax });
  }
  const lexer = new Lexer(text);
  if (lexer.peek().kind === "end") {
    throw lexer.error(lexer.peek(), "the query is empty", { expected: "a filter, as * or error" });
  }
  const filter = parseFilter(lexer);
  const pipes = [];
  while (lexer.take("|")) pipes.push(parsePipe(lexer));
  const rest = lexer.peek();
  if (rest.kind !== "end") throw lexer.error(rest, unexpected(rest), { expected: "a filter or |" });
  return { filter, pipes };
}
