import type { ExtractPattern, FieldPair, FieldSelector, PipeNode, SortKey } from "./ast.ts";
import { parsePattern } from "./extract-pattern.ts";
import { type Lexer, type Token, unexpected } from "./lexer.ts";
import { countMax, topDefault } from "./limits.ts";
import { parseFilter } from "./parse-filter.ts";
import { parseMath } from "./parse-math.ts";
import { parseIf, parseName, parseNames } from "./parse-parts.ts";
import { parseStats } from "./parse-stats.ts";
import { closest } from "./syntax-error.ts";

type PipeParser = (lexer: Lexer) => PipeNode;

const fieldsPipe: PipeParser = (lexer) => ({ kind: "fields", fields: parseSelectors(lexer) });
const deletePipe: PipeParser = (lexer) => ({ kind: "delete", fields: parseSelectors(lexer) });
const renamePipe: PipeParser = (lexer) => ({ kind: "rename", pairs: parsePairs(lexer) });
const copyPipe: PipeParser = (lexer) => ({ kind: "copy", pairs: parsePairs(lexer) });
const filterPipe: PipeParser = (lexer) => ({ kind: "filter", filter: parseFilter(lexer) });
const limitPipe: PipeParser = (lexer) => ({
  kind: "limit",
  count: parseCount(lexer, "rows to keep"),
});
const offsetPipe: PipeParser = (lexer) => ({
  kind: "offset",
  count: parseCount(lexer, "rows to skip"),
});

const parsers: Readonly<Record<string, PipeParser>> = {
  fields: fieldsPipe,
  keep: fieldsPipe,
  delete: deletePipe,
  drop: deletePipe,
  del: deletePipe,
  rm: deletePipe,
  rename: renamePipe,
  mv: renamePipe,
  copy: copyPipe,
  cp: copyPipe,
  stats: parseStats,
  sort: parseSort,
  order: parseSort,
  limit: limitPipe,
  head: limitPipe,
  offset: offsetPipe,
  skip: offsetPipe,
  top: parseTop,
  uniq: parseUniq,
  filter: filterPipe,
  where: filterPipe,
  math: parseMathPipe,
  eval: parseMathPipe,
  extract: parseExtract,
  field_names: parseFieldNames,
  field_values: parseFieldValues,
};

/** One pipe; its `|` was taken. */
export function parsePipe(lexer: Lexer): PipeNode {
  const name = lexer.next();
  const key = name.text.toLowerCase();
  const parser = name.kind === "word" && Object.hasOwn(parsers, key) ? parsers[key] : undefined;
  if (parser !== undefined) return parser(lexer);
  const names = Object.keys(parsers);
  const what =
    name.kind === "word" ? `there is no pipe ${name.text.slice(0, 40)}` : unexpected(name);
  throw lexer.error(name, what, {
    expected: `one of ${names.join(", ")}`,
    suggestion: name.kind === "word" ? closest(name.text, names) : undefined,
  });
}

function parseCount(lexer: Lexer, expected: string): number {
  const token = lexer.next("value");
  const count = /^\d{1,16}$/.test(token.text) ? Number(token.text) : Number.NaN;
  if (token.kind === "word" && count <= countMax) return count;
  throw lexer.error(token, unexpected(token), { expected: `a whole number of ${expected}` });
}

function parseSelectors(lexer: Lexer): FieldSelector[] {
  const selectors: FieldSelector[] = [];
  do {
    if (lexer.sees("*")) {
      lexer.next();
      selectors.push({ name: "", prefix: true });
      continue;
    }
    const name = parseName(lexer, "a field");
    const prefix = lexer.seesAdjacent("*");
    if (prefix) lexer.next();
    selectors.push({ name, prefix });
  } while (lexer.take(","));
  return selectors;
}

function parsePairs(lexer: Lexer): FieldPair[] {
  const pairs: FieldPair[] = [];
  do {
    const from = parseName(lexer, "a field");
    lexer.takeWord("as");
    pairs.push({ from, to: parseName(lexer, "the new name") });
  } while (lexer.take(","));
  return pairs;
}

function parseSort(lexer: Lexer): PipeNode {
  lexer.takeWord("by");
  const by: SortKey[] = [];
  const isBracketed = lexer.take("(");
  do {
    const field = parseName(lexer, "a field");
    const desc = lexer.takeWord("desc");
    if (!desc) lexer.takeWord("asc");
    by.push({ field, desc });
  } while (lexer.take(","));
  if (isBracketed) lexer.expect(")");
  const isReversed = lexer.takeWord("desc");
  const keys = isReversed ? by.map((key) => ({ ...key, desc: !key.desc })) : by;
  let offset = 0;
  let limit: number | undefined;
  for (;;) {
    if (lexer.takeWord("limit")) limit = parseCount(lexer, "rows");
    else if (lexer.takeWord("offset")) offset = parseCount(lexer, "rows");
    else return { kind: "sort", by: keys, offset, limit };
  }
}

function parseTop(lexer: Lexer): PipeNode {
  const isCounted = /^\d+$/.test(lexer.peek().text);
  const limit = isCounted ? parseCount(lexer, "rows") : topDefault;
  lexer.takeWord("by");
  const by = parseNames(lexer);
  let hitsAs = "hits";
  if (lexer.takeWord("hits")) {
    lexer.takeWord("as");
    hitsAs = parseName(lexer, "a name");
  }
  return { kind: "top", limit, by, hitsAs };
}

function parseUniq(lexer: Lexer): PipeNode {
  lexer.takeWord("by");
  const by = parseNames(lexer);
  let hitsAs: string | undefined;
  let limit: number | undefined;
  for (;;) {
    if (lexer.takeWord("with")) continue;
    if (lexer.takeWord("hits")) hitsAs = lexer.takeWord("as") ? parseName(lexer, "a name") : "hits";
    else if (lexer.takeWord("limit")) limit = parseCount(lexer, "rows");
    else return { kind: "uniq", by, hitsAs, limit };
  }
}

function parseMathPipe(lexer: Lexer): PipeNode {
  const assignments = [];
  do {
    const expression = parseMath(lexer);
    lexer.takeWord("as");
    assignments.push({ expression, as: parseName(lexer, "the result's name") });
  } while (lexer.take(","));
  return { kind: "math", assignments };
}

function parseExtract(lexer: Lexer): PipeNode {
  const filter = parseIf(lexer);
  const token: Token = lexer.next();
  if (token.kind !== "string") {
    throw lexer.error(token, unexpected(token), {
      expected: 'a pattern in quotes, as "user=<user> "',
    });
  }
  const pattern: ExtractPattern = parsePattern(lexer, token);
  const from = lexer.takeWord("from") ? parseName(lexer, "a field") : "_msg";
  let keepOriginal = false;
  let skipEmpty = false;
  for (;;) {
    if (lexer.takeWord("keep_original_fields")) keepOriginal = true;
    else if (lexer.takeWord("skip_empty_results")) skipEmpty = true;
    else return { kind: "extract", pattern, from, filter, keepOriginal, skipEmpty };
  }
}

function parseFieldNames(lexer: Lexer): PipeNode {
  return { kind: "fieldNames", as: lexer.takeWord("as") ? parseName(lexer, "a name") : "name" };
}

function parseFieldValues(lexer: Lexer): PipeNode {
  const field = parseName(lexer, "a field");
  const limit = lexer.takeWord("limit") ? parseCount(lexer, "values") : undefined;
  return { kind: "fieldValues", field, limit };
}
