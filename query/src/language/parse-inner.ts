import type { PipeNode, Query } from "./ast.ts";
import { parseDuration } from "./duration.ts";
import { type Lexer, unexpected } from "./lexer.ts";
import { contextRowsMax, contextWindow } from "./limits.ts";
import { parseFieldList, takeCount, takeText } from "./parse-values.ts";

/** `(query)`. */
function takeQuery(lexer: Lexer): Query {
  lexer.expect("(", "filter", { expected: '"(" and a query' });
  const query = lexer.innerQuery(lexer);
  lexer.expect(")", "filter", { expected: '"|" or ")"' });
  return query;
}

/** What follows `join`: `by (a, b) (query) inner prefix "x."`. */
export function parseJoin(lexer: Lexer): PipeNode {
  lexer.takeWord("by", "on");
  const by = parseFieldList(lexer);
  const query = takeQuery(lexer);
  let isInner = false;
  let prefix = "";
  for (;;) {
    if (lexer.takeWord("inner")) isInner = true;
    else if (lexer.takeWord("prefix")) prefix = takeText(lexer, "a text").text;
    else return { kind: "join", by, query, isInner, prefix };
  }
}

export function parseUnion(lexer: Lexer): PipeNode {
  return { kind: "union", query: takeQuery(lexer) };
}

/** What follows `stream_context`: `before 2 after 5 time_window 1h`. */
export function parseStreamContext(lexer: Lexer): PipeNode {
  let [before, after] = [0, 0];
  let window = contextWindow;
  for (let any = false; ; any = true) {
    if (lexer.takeWord("before")) before = takeCount(lexer, contextRowsMax);
    else if (lexer.takeWord("after")) after = takeCount(lexer, contextRowsMax);
    else if (lexer.takeWord("time_window")) {
      const token = lexer.next("value");
      const length = parseDuration(token.text);
      if (length === undefined || length.ms < 0) {
        throw lexer.error(token, "this is no length of time", { expected: "such as 1h" });
      }
      window = length;
    } else if (any) return { kind: "streamContext", before, after, window };
    else {
      const expected = '"before 5" or "after 5"';
      throw lexer.error(lexer.peek(), unexpected(lexer.peek()), { expected });
    }
  }
}
