import type { FieldPair, FieldSelector, PipeNode, SortKey } from "./ast.ts";
import { type Lexer, unexpected } from "./lexer.ts";
import { countMax, topDefault } from "./limits.ts";
import { parseExtract } from "./parse-extract.ts";
import { parseFilter } from "./parse-filter.ts";
import { parseMath } from "./parse-math.ts";
import { isStatsName, parseStats } from "./parse-stats.ts";
import { parseFieldList, takeCount, takeField } from "./parse-values.ts";
import { closest } from "./syntax-error.ts";

type Parse = (lexer: Lexer) => PipeNode;

const parsers: Readonly<Record<string, Parse>> = {
  fields: (lexer) => ({ kind: "fields", fields: parseSelectors(lexer) }),
  keep: (lexer) => ({ kind: "fields", fields: parseSelectors(lexer) }),
  delete: parseDelete,
  drop: parseDelete,
  del: parseDelete,
  rm: parseDelete,
  rename: (lexer) => ({ kind: "rename", pairs: parsePairs(lexer) }),
  mv: (lexer) => ({ kind: "rename", pairs: parsePairs(lexer) }),
  copy: (lexer) => ({ kind: "copy", pairs: parsePairs(lexer) }),
  cp: (lexer) => ({ kind: "copy", pairs: parsePairs(lexer) }),
  stats: parseStats,
  sort: parseSort,
  order: parseSort,
  limit: parseLimit,
  head: parseLimit,
  offset: parseOffset,
  skip: parseOffset,
  top: parseTop,
  uniq: parseUniq,
  filter: (lexer) => ({ kind: "filter", filter: parseFilter(lexer) }),
  where: (lexer) => ({ kind: "filter", filter: parseFilter(lexer) }),
  math: parseMath,
  eval: parseMath,
  extract: parseExtract,
  field_names: parseFieldNames,
  field_values: parseFieldValues,
};

/** One pipe; the `|` has been taken. */
export function parsePipe(lexer: Lexer): PipeNode {
  const name = lexer.peek();
  if (name.kind !== "word") {
    throw lexer.error(name, unexpected(name), { expected: "the name of a pipe, such as stats" });
  }
  const key = name.text.toLowerCase();
  if (Object.hasOwn(parsers, key)) {
    lexer.next();
    return (parsers[key] as Parse)(lexer);
  }
  // `| count() n` is short for `| stats count() n`.
  if (isStatsName(key) || key === "by") return parseStats(lexer);
  throw lexer.error(name, `unknown pipe "${name.text.slice(0, 40)}"`, {
    expected: "the name of a pipe, such as stats",
    suggestion: closest(key, Object.keys(parsers)),
  });
}

function parseSelectors(lexer: Lexer): readonly FieldSelector[] {
  const selectors: FieldSelector[] = [];
  const isEnclosed = lexer.take("(");
  do selectors.push(parseSelector(lexer));
  while (lexer.take(","));
  if (isEnclosed) lexer.expect(")", "filter", { expected: '"," or ")"' });
  return selectors;
}

function parseSelector(lexer: Lexer): FieldSelector {
  if (lexer.take("*")) return { name: "", prefix: true };
  const name = takeField(lexer);
  return lexer.seesAdjacent("*") && lexer.take("*")
    ? { name, prefix: true }
    : { name, prefix: false };
}

function parseDelete(lexer: Lexer): PipeNode {
  return { kind: "delete", fields: parseSelectors(lexer) };
}

function parsePairs(lexer: Lexer): readonly FieldPair[] {
  const pairs: FieldPair[] = [];
  do {
    const from = takeField(lexer);
    lexer.takeWord("as");
    pairs.push({ from, to: takeField(lexer) });
  } while (lexer.take(","));
  return pairs;
}

function parseSort(lexer: Lexer): PipeNode {
  lexer.takeWord("by");
  const isEnclosed = lexer.take("(");
  const keys: SortKey[] = [];
  do {
    const field = takeField(lexer);
    keys.push({ field, desc: takeDirection(lexer) });
  } while (lexer.take(","));
  if (isEnclosed) lexer.expect(")", "filter", { expected: '",", "desc" or ")"' });
  // A direction behind the parentheses turns all of them round.
  const isTurned = isEnclosed && takeDirection(lexer);
  const by = keys.map(({ field, desc }) => ({ field, desc: desc !== isTurned }));
  let offset = 0;
  let limit: number | undefined;
  for (;;) {
    if (lexer.takeWord("limit", "head")) limit = takeCount(lexer, countMax);
    else if (lexer.takeWord("offset", "skip")) offset = takeCount(lexer, countMax);
    else return { kind: "sort", by, offset, limit };
  }
}

/** Whether `desc` stands here; `asc` and nothing mean no. */
function takeDirection(lexer: Lexer): boolean {
  return !lexer.takeWord("asc") && lexer.takeWord("desc");
}

function parseLimit(lexer: Lexer): PipeNode {
  return { kind: "limit", count: takeCount(lexer, countMax) };
}

function parseOffset(lexer: Lexer): PipeNode {
  return { kind: "offset", count: takeCount(lexer, countMax) };
}

function parseTop(lexer: Lexer): PipeNode {
  const isBare = lexer.seesWord("by") || lexer.sees("(");
  const limit = isBare ? topDefault : takeCount(lexer, countMax);
  lexer.takeWord("by");
  const by = parseFieldList(lexer);
  return { kind: "top", limit, by, hitsAs: parseHits(lexer) ?? "hits" };
}

/** `with hits`, `hits`, `hits as name`: the name of the count; undefined without. */
function parseHits(lexer: Lexer): string | undefined {
  if (lexer.takeWord("with")) {
    if (lexer.takeWord("hits")) return lexer.takeWord("as") ? takeField(lexer) : "hits";
    throw lexer.error(lexer.peek(), unexpected(lexer.peek()), { expected: '"hits"' });
  }
  if (!lexer.takeWord("hits")) return undefined;
  return lexer.takeWord("as") ? takeField(lexer) : "hits";
}

function parseUniq(lexer: Lexer): PipeNode {
  lexer.takeWord("by");
  const by = parseFieldList(lexer);
  const hitsAs = parseHits(lexer);
  const limit = lexer.takeWord("limit") ? takeCount(lexer, countMax) : undefined;
  return { kind: "uniq", by, hitsAs, limit };
}

function parseFieldNames(lexer: Lexer): PipeNode {
  return { kind: "fieldNames", as: lexer.takeWord("as") ? takeField(lexer) : "name" };
}

function parseFieldValues(lexer: Lexer): PipeNode {
  const field = takeField(lexer);
  const limit = lexer.takeWord("limit") ? takeCount(lexer, countMax) : undefined;
  return { kind: "fieldValues", field, limit };
}
