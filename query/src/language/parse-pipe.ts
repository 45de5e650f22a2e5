import type { FieldPair, PipeNode } from "./ast.ts";
import { type Lexer, type Token, unexpected } from "./lexer.ts";
import { countMax, limitDefault } from "./limits.ts";
import { parseExtract } from "./parse-extract.ts";
import { parseFilter } from "./parse-filter.ts";
import { parseFormat } from "./parse-format.ts";
import { parseJoin, parseStreamContext, parseUnion } from "./parse-inner.ts";
import { parseMath } from "./parse-math.ts";
import {
  parseFacets,
  parseFieldNames,
  parseFieldValues,
  parseFirst,
  parseSort,
  parseTop,
  parseUniq,
} from "./parse-order.ts";
import { isStatsName, parseStats } from "./parse-stats.ts";
import {
  parseCollapseNums,
  parseDecolorize,
  parseExtractRegexp,
  parseMeasure,
  parsePack,
  parseReplace,
  parseReplaceRegexp,
  parseSample,
  parseUnpack,
  parseUnpackWords,
  parseUnroll,
} from "./parse-transform.ts";
import { parseSelectors, takeCount, takeField } from "./parse-values.ts";
import { closest } from "./syntax-error.ts";

type Parse = (lexer: Lexer) => PipeNode;

const parsers: Readonly<Record<string, Parse>> = {
  block_stats: () => ({ kind: "blockStats" }),
  blocks_count: parseBlocksCount,
  collapse_nums: parseCollapseNums,
  copy: (lexer) => ({ kind: "copy", pairs: parsePairs(lexer) }),
  cp: (lexer) => ({ kind: "copy", pairs: parsePairs(lexer) }),
  decolorize: parseDecolorize,
  del: parseDelete,
  delete: parseDelete,
  drop: parseDelete,
  drop_empty_fields: () => ({ kind: "dropEmpty" }),
  eval: parseMath,
  extract: parseExtract,
  extract_regexp: parseExtractRegexp,
  facets: parseFacets,
  field_names: parseFieldNames,
  field_values: parseFieldValues,
  fields: (lexer) => ({ kind: "fields", fields: parseSelectors(lexer) }),
  filter: (lexer) => ({ kind: "filter", filter: parseFilter(lexer) }),
  first: (lexer) => parseFirst(lexer, false),
  format: parseFormat,
  hash: (lexer) => parseMeasure(lexer, "hash"),
  head: parseLimit,
  join: parseJoin,
  json_array_len: (lexer) => parseMeasure(lexer, "jsonArrayLen"),
  keep: (lexer) => ({ kind: "fields", fields: parseSelectors(lexer) }),
  last: (lexer) => parseFirst(lexer, true),
  len: (lexer) => parseMeasure(lexer, "len"),
  limit: parseLimit,
  math: parseMath,
  mv: (lexer) => ({ kind: "rename", pairs: parsePairs(lexer) }),
  offset: parseOffset,
  order: parseSort,
  pack_json: (lexer) => parsePack(lexer, "json"),
  pack_logfmt: (lexer) => parsePack(lexer, "logfmt"),
  rename: (lexer) => ({ kind: "rename", pairs: parsePairs(lexer) }),
  replace: parseReplace,
  replace_regexp: parseReplaceRegexp,
  rm: parseDelete,
  sample: parseSample,
  skip: parseOffset,
  sort: parseSort,
  stats: parseStats,
  stream_context: parseStreamContext,
  top: parseTop,
  union: parseUnion,
  uniq: parseUniq,
  unpack_json: (lexer) => parseUnpack(lexer, "json"),
  unpack_logfmt: (lexer) => parseUnpack(lexer, "logfmt"),
  unpack_syslog: (lexer) => parseUnpack(lexer, "syslog"),
  unpack_words: parseUnpackWords,
  unroll: parseUnroll,
  where: (lexer) => ({ kind: "filter", filter: parseFilter(lexer) }),
};

/** The words that a pipe may begin with. */
export const pipeNames: readonly string[] = Object.keys(parsers);

/** One pipe; the `|` has been taken. */
export function parsePipe(lexer: Lexer): PipeNode {
  const name = lexer.peek();
  const key = name.text.toLowerCase();
  if (name.kind === "word" && !isField(lexer, name)) {
    if (Object.hasOwn(parsers, key)) {
      lexer.next();
      return (parsers[key] as Parse)(lexer);
    }
    // `| count() n` is short for `| stats count() n`.
    if (isStatsName(key) || key === "by") return parseStats(lexer);
  }
  if (beginsFilter(lexer, name)) return { kind: "filter", filter: parseFilter(lexer) };
  if (name.kind !== "word") {
    throw lexer.error(name, unexpected(name), { expected: "the name of a pipe, such as stats" });
  }
  throw lexer.error(name, `unknown pipe "${name.text.slice(0, 40)}"`, {
    expected: "the name of a pipe, such as stats",
    suggestion: closest(key, pipeNames),
  });
}

function isField(lexer: Lexer, name: Token): boolean {
  return /^\s*:/.test(lexer.source.slice(name.end, name.end + 64));
}

/** `| n:>10` is short for `| filter n:>10`; a lone word is rather a pipe that is misspelt. */
function beginsFilter(lexer: Lexer, { kind, text, ...token }: Token): boolean {
  if (kind === "mark") return "({!-<>=~*".includes(text[0] as string);
  return kind !== "end" && (isField(lexer, { kind, text, ...token }) || lexer.seesWord("not"));
}

function parseDelete(lexer: Lexer): PipeNode {
  return { kind: "delete", fields: parseSelectors(lexer) };
}

function parsePairs(lexer: Lexer): readonly FieldPair[] {
  const pairs: FieldPair[] = [];
  do {
    const from = takeEnd(lexer);
    lexer.takeWord("as");
    const at = lexer.peek("value");
    const to = takeEnd(lexer);
    if (from.prefix !== to.prefix) {
      throw lexer.error(at, "a beginning of names becomes another beginning", {
        expected: from.prefix ? 'a text and "*"' : 'a name without "*"',
      });
    }
    pairs.push({ from: from.name, to: to.name, ...(from.prefix && { prefix: true }) });
  } while (lexer.take(","));
  return pairs;
}

function takeEnd(lexer: Lexer): { readonly name: string; readonly prefix: boolean } {
  if (lexer.take("*")) return { name: "", prefix: true };
  const name = takeField(lexer);
  return { name, prefix: lexer.seesAdjacent("*") && lexer.take("*") };
}

function parseLimit(lexer: Lexer): PipeNode {
  const { kind } = lexer.peek("value");
  const isBare = kind === "mark" || kind === "end";
  return { kind: "limit", count: isBare ? limitDefault : takeCount(lexer, countMax) };
}

function parseOffset(lexer: Lexer): PipeNode {
  return { kind: "offset", count: takeCount(lexer, countMax) };
}

function parseBlocksCount(lexer: Lexer): PipeNode {
  return { kind: "blocksCount", as: lexer.takeWord("as") ? takeField(lexer) : "blocks_count" };
}
