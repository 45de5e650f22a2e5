import { checkRegex, regexGroups } from "../regex/pattern.ts";
import type { PipeNode } from "./ast.ts";
import { parseDuration } from "./duration.ts";
import { type Lexer, unexpected } from "./lexer.ts";
import { countMax } from "./limits.ts";
import { parseCondition } from "./parse-stats.ts";
import {
  parseFieldList,
  parseSelectors,
  takeCount,
  takeField,
  takeText,
  takeWriteOptions,
} from "./parse-values.ts";
import type { MeasurePipe, PackPipe, UnpackPipe } from "./pipe-node.ts";

function takeCondition(lexer: Lexer) {
  return lexer.takeWord("if") ? parseCondition(lexer) : undefined;
}

/** A field behind a word, `_msg` without it. */
function takeFieldBehind(lexer: Lexer, ...words: readonly string[]): string {
  return lexer.takeWord(...words) ? takeField(lexer) : "_msg";
}

function takeLimit(lexer: Lexer): number | undefined {
  return lexer.takeWord("limit") ? takeCount(lexer, countMax) : undefined;
}

/** What follows `extract_regexp`: `if (…) "(?P<ip>…)" from field keep_original_fields`. */
export function parseExtractRegexp(lexer: Lexer): PipeNode {
  const filter = takeCondition(lexer);
  const token = takeText(lexer, 'a pattern in quotes, such as "(?P<ip>[0-9.]+)"');
  checkRegex(token.text, (message) => lexer.error(token, message));
  if (regexGroups(token.text).length === 0) {
    throw lexer.error(token, "the pattern names no field", {
      expected: "a named group such as (?P<user>.+)",
    });
  }
  const from = takeFieldBehind(lexer, "from");
  return { kind: "extractRegexp", pattern: token.text, from, filter, ...takeWriteOptions(lexer) };
}

/** What follows `collapse_nums`: `if (…) at field prettify`. */
export function parseCollapseNums(lexer: Lexer): PipeNode {
  const filter = takeCondition(lexer);
  const field = takeFieldBehind(lexer, "at");
  return { kind: "collapseNums", field, prettify: lexer.takeWord("prettify"), filter };
}

export function parseDecolorize(lexer: Lexer): PipeNode {
  lexer.takeWord("at");
  const { kind } = lexer.peek("value");
  const isNamed = kind === "word" || kind === "string";
  return { kind: "decolorize", field: isNamed ? takeField(lexer) : "_msg" };
}

/** What follows `replace`: `if (…) ("old", "new") at field limit 3`. */
export function parseReplace(lexer: Lexer): PipeNode {
  const filter = takeCondition(lexer);
  lexer.expect("(", "filter", { expected: '("old", "new")' });
  const old = takeText(lexer, "the text to replace").text;
  const replacement = takeReplacement(lexer);
  const field = takeFieldBehind(lexer, "at");
  return { kind: "replace", old, replacement, field, limit: takeLimit(lexer), filter };
}

/** What follows `replace_regexp`: `if (…) ("pattern", "$1") at field limit 3`. */
export function parseReplaceRegexp(lexer: Lexer): PipeNode {
  const filter = takeCondition(lexer);
  lexer.expect("(", "filter", { expected: '("pattern", "new")' });
  const token = takeText(lexer, "a regular expression in quotes");
  checkRegex(token.text, (message) => lexer.error(token, message));
  const replacement = takeReplacement(lexer);
  const field = takeFieldBehind(lexer, "at");
  const limit = takeLimit(lexer);
  return { kind: "replaceRegexp", pattern: token.text, replacement, field, limit, filter };
}

function takeReplacement(lexer: Lexer): string {
  lexer.expect(",", "value");
  const { text } = takeText(lexer, "what it is replaced by");
  lexer.expect(")", "value");
  return text;
}

/** What follows `len`, `hash`, `json_array_len`: `(field) as name`. */
export function parseMeasure(lexer: Lexer, kind: MeasurePipe["kind"]): PipeNode {
  const isEnclosed = lexer.take("(");
  const field = takeField(lexer);
  if (isEnclosed) lexer.expect(")");
  lexer.takeWord("as");
  const { kind: next } = lexer.peek("value");
  const isNamed = next === "word" || next === "string";
  return { kind, field, as: isNamed ? takeField(lexer) : "_msg" };
}

/** What follows `unpack_words`: `from field as words drop_duplicates`. */
export function parseUnpackWords(lexer: Lexer): PipeNode {
  const isBare = lexer.peek().kind === "word" && !lexer.seesWord("from", "as", "drop_duplicates");
  const from = isBare ? takeField(lexer) : takeFieldBehind(lexer, "from");
  const as = lexer.takeWord("as") ? takeField(lexer) : from;
  return { kind: "unpackWords", from, as, dropDuplicates: lexer.takeWord("drop_duplicates") };
}

/** What follows `pack_json` and `pack_logfmt`: `fields (a, b.*) as c`. */
export function parsePack(lexer: Lexer, format: PackPipe["format"]): PipeNode {
  const fields = lexer.takeWord("fields") ? chosen(parseSelectors(lexer)) : [];
  lexer.takeWord("as");
  const { kind } = lexer.peek("value");
  const isNamed = kind === "word" || kind === "string";
  return { kind: "pack", format, fields, as: isNamed ? takeField(lexer) : "_msg" };
}

/** `*` among them means all. */
function chosen(fields: PackPipe["fields"]): PackPipe["fields"] {
  return fields.some(({ name, prefix }) => prefix && name === "") ? [] : fields;
}

/** What follows `unpack_…`: `if (…) from a fields (b) result_prefix "x" keep_original_fields`. */
export function parseUnpack(lexer: Lexer, format: UnpackPipe["format"]): PipeNode {
  const filter = takeCondition(lexer);
  const isBare =
    ["word", "string"].includes(lexer.peek().kind) && !lexer.seesWord("from", ...unpackWords);
  let pipe: UnpackPipe = {
    kind: "unpack",
    format,
    from: isBare ? takeField(lexer) : takeFieldBehind(lexer, "from"),
    fields: [],
    prefix: "",
    offset: { ms: 0, ns: 0 },
    filter,
    keepOriginal: false,
    skipEmpty: false,
  };
  for (;;) {
    if (format !== "syslog" && lexer.takeWord("fields")) {
      pipe = { ...pipe, fields: chosen(parseSelectors(lexer)) };
    } else if (lexer.takeWord("result_prefix")) {
      pipe = { ...pipe, prefix: takeText(lexer, "a text").text };
    } else if (format === "syslog" && lexer.takeWord("offset")) {
      pipe = { ...pipe, offset: takeOffset(lexer) };
    } else if (lexer.takeWord("keep_original_fields")) pipe = { ...pipe, keepOriginal: true };
    else if (lexer.takeWord("skip_empty_results")) pipe = { ...pipe, skipEmpty: true };
    else return pipe;
  }
}

const unpackWords = [
  "fields",
  "result_prefix",
  "offset",
  "keep_original_fields",
  "skip_empty_results",
];

function takeOffset(lexer: Lexer) {
  const token = lexer.next("value");
  const offset = parseDuration(token.text);
  if (offset !== undefined) return offset;
  throw lexer.error(token, "this is no duration", { expected: "a duration such as 5h30m" });
}

/** What follows `unroll`: `if (…) by (a, b)`. */
export function parseUnroll(lexer: Lexer): PipeNode {
  const filter = takeCondition(lexer);
  lexer.takeWord("by");
  return { kind: "unroll", fields: parseFieldList(lexer), filter };
}

export function parseSample(lexer: Lexer): PipeNode {
  const token = lexer.peek("value");
  const every = takeCount(lexer, countMax);
  if (every >= 1) return { kind: "sample", every };
  throw lexer.error(token, unexpected(token), { expected: "a whole number above 0" });
}
