import type { PipeNode, SortKey, SortPipe } from "./ast.ts";
import { type Lexer, unexpected } from "./lexer.ts";
import { countMax, facetsDefaults, topDefault } from "./limits.ts";
import { parseFieldList, takeCount, takeField } from "./parse-values.ts";

/** What follows `sort`: `by (a desc, b) desc partition by (c) offset 5 limit 10 rank as n`. */
export function parseSort(lexer: Lexer): PipeNode {
  lexer.takeWord("by");
  const by = parseKeys(lexer);
  let tail: Pick<SortPipe, "offset" | "limit" | "partitionBy" | "rankAs"> = {
    offset: 0,
    limit: undefined,
  };
  for (;;) {
    if (lexer.takeWord("limit", "head")) tail = { ...tail, limit: takeCount(lexer, countMax) };
    else if (lexer.takeWord("offset", "skip")) {
      tail = { ...tail, offset: takeCount(lexer, countMax) };
    } else if (lexer.seesWord("partition")) tail = { ...tail, partitionBy: takePartition(lexer) };
    else if (lexer.takeWord("rank")) tail = { ...tail, rankAs: takeRank(lexer) };
    else return { kind: "sort", by, ...tail };
  }
}

function parseKeys(lexer: Lexer): readonly SortKey[] {
  const isEnclosed = lexer.take("(");
  const keys: SortKey[] = [];
  do {
    const field = takeField(lexer);
    keys.push({ field, desc: takeDirection(lexer) });
  } while (lexer.take(","));
  if (isEnclosed) lexer.expect(")", "filter", { expected: '",", "desc" or ")"' });
  // A direction behind the parentheses turns all of them round.
  const isTurned = isEnclosed && takeDirection(lexer);
  return keys.map(({ field, desc }) => ({ field, desc: desc !== isTurned }));
}

/** Whether `desc` stands here; `asc` and nothing mean no. */
function takeDirection(lexer: Lexer): boolean {
  return !lexer.takeWord("asc") && lexer.takeWord("desc");
}

function takePartition(lexer: Lexer): readonly string[] {
  lexer.next();
  lexer.takeWord("by");
  return parseFieldList(lexer);
}

/** The name behind `rank`, with `as` or without. */
function takeRank(lexer: Lexer): string {
  if (lexer.takeWord("as")) return takeField(lexer);
  const { kind } = lexer.peek("value");
  const isNamed = kind === "string" || (kind === "word" && !lexer.seesWord(...sortWords));
  return isNamed ? takeField(lexer) : "rank";
}

const sortWords = ["limit", "head", "offset", "skip", "partition", "rank", "hits", "with"];

/** `first 3 by (a) partition by (b)` is `sort by (a) partition by (b) limit 3`; `last` turns the order round. */
export function parseFirst(lexer: Lexer, isLast: boolean): PipeNode {
  const isBare = lexer.seesWord("by") || lexer.sees("(");
  const limit = isBare ? 1 : takeCount(lexer, countMax);
  lexer.takeWord("by");
  const by = parseKeys(lexer).map(({ field, desc }) => ({ field, desc: desc !== isLast }));
  let sort: SortPipe = { kind: "sort", by, offset: 0, limit };
  for (;;) {
    if (lexer.seesWord("partition")) sort = { ...sort, partitionBy: takePartition(lexer) };
    else if (lexer.takeWord("rank")) sort = { ...sort, rankAs: takeRank(lexer) };
    else return sort;
  }
}

/** What follows `top`: `5 by (a, b) hits as n rank as m`. */
export function parseTop(lexer: Lexer): PipeNode {
  const isBare = lexer.seesWord("by") || lexer.sees("(");
  const limit = isBare ? topDefault : takeCount(lexer, countMax);
  lexer.takeWord("by");
  const by = parseFieldList(lexer);
  let hitsAs = "hits";
  let rank: { readonly rankAs?: string } = {};
  for (;;) {
    const isWith = lexer.takeWord("with");
    if (lexer.takeWord("hits")) hitsAs = takeHits(lexer);
    else if (lexer.takeWord("rank")) rank = { rankAs: takeRank(lexer) };
    else if (isWith) {
      throw lexer.error(lexer.peek(), unexpected(lexer.peek()), { expected: '"hits" or "rank"' });
    } else return { kind: "top", limit, by, hitsAs, ...rank };
  }
}

/** The name of the count behind `hits`. */
function takeHits(lexer: Lexer): string {
  return lexer.takeWord("as") ? takeField(lexer) : "hits";
}

/** What follows `uniq`: `by (a, b) with hits limit 100`. */
export function parseUniq(lexer: Lexer): PipeNode {
  lexer.takeWord("by");
  const by = parseFieldList(lexer);
  let hitsAs: string | undefined;
  if (lexer.takeWord("with") && !lexer.seesWord("hits")) {
    throw lexer.error(lexer.peek(), unexpected(lexer.peek()), { expected: '"hits"' });
  }
  if (lexer.takeWord("hits")) hitsAs = takeHits(lexer);
  const limit = lexer.takeWord("limit") ? takeCount(lexer, countMax) : undefined;
  return { kind: "uniq", by, hitsAs, limit };
}

export function parseFieldNames(lexer: Lexer): PipeNode {
  return { kind: "fieldNames", as: lexer.takeWord("as") ? takeField(lexer) : "name" };
}

export function parseFieldValues(lexer: Lexer): PipeNode {
  const field = takeField(lexer);
  const limit = lexer.takeWord("limit") ? takeCount(lexer, countMax) : undefined;
  return { kind: "fieldValues", field, limit };
}

/** What follows `facets`: `10 max_values_per_field 1000 max_value_len 128 keep_const_fields`. */
export function parseFacets(lexer: Lexer): PipeNode {
  let { limit, valuesMax, lengthMax } = facetsDefaults;
  let keepConst = false;
  if (/^\d/.test(lexer.peek("value").text)) limit = takeCount(lexer, countMax);
  for (;;) {
    if (lexer.takeWord("max_values_per_field")) valuesMax = takeCount(lexer, countMax);
    else if (lexer.takeWord("max_value_len")) lengthMax = takeCount(lexer, countMax);
    else if (lexer.takeWord("keep_const_fields")) keepConst = true;
    else return { kind: "facets", limit, valuesMax, lengthMax, keepConst };
  }
}
