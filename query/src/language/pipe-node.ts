import type { Duration, FieldSelector, Query } from "./ast.ts";
import type { FilterNode } from "./filter-node.ts";

/** Pipes that make a field of others, change the shape of rows, or bring in rows of another query. */
export type TransformPipe =
  | ExtractRegexpPipe
  | FormatPipe
  | CollapseNumsPipe
  | DecolorizePipe
  | ReplacePipe
  | ReplaceRegexpPipe
  | MeasurePipe
  | UnpackWordsPipe
  | PackPipe
  | UnpackPipe
  | UnrollPipe
  | SamplePipe
  | DropEmptyPipe;

/** Pipes that ask another query, or the neighbours of what was found. */
export type InnerPipe = JoinPipe | UnionPipe | StreamContextPipe;

/** What pipes that write fields have in common. */
export interface WriteOptions {
  /** `if (…)`: other rows pass unchanged. */
  readonly filter: FilterNode | undefined;
  /** A field that already has a value keeps it. */
  readonly keepOriginal: boolean;
  /** An empty result does not replace what was there. */
  readonly skipEmpty: boolean;
}

/** `extract_regexp "(?P<ip>[0-9.]+)" from _msg`: named groups become fields. */
export interface ExtractRegexpPipe extends WriteOptions {
  readonly kind: "extractRegexp";
  /** RE2 syntax; names at least one group. */
  readonly pattern: string;
  readonly from: string;
}

/** `format "<ip>:<port>" as address`. */
export interface FormatPipe extends WriteOptions {
  readonly kind: "format";
  readonly pattern: FormatPattern;
  readonly as: string;
}

/** Literal text and fields by turns: `steps[0].literal` `<steps[0].field>` … `tail`. */
export interface FormatPattern {
  readonly steps: readonly FormatStep[];
  readonly tail: string;
}

export interface FormatStep {
  readonly literal: string;
  readonly field: string;
  /** `<uc:field>`; a value that the option cannot read stays as it is. */
  readonly option: FormatOption | undefined;
}

export const formatOptions = [
  "base64decode",
  "base64encode",
  "duration",
  "duration_seconds",
  "hexdecode",
  "hexencode",
  "hexnumdecode",
  "hexnumencode",
  "ipv4",
  "lc",
  "q",
  "time",
  "uc",
  "urldecode",
  "urlencode",
] as const;

export type FormatOption = (typeof formatOptions)[number];

/** `collapse_nums at field prettify`: numbers become `<N>`, with `prettify` what they make up its name. */
export interface CollapseNumsPipe {
  readonly kind: "collapseNums";
  readonly field: string;
  readonly prettify: boolean;
  readonly filter: FilterNode | undefined;
}

/** `decolorize field`: without the colours of terminals. */
export interface DecolorizePipe {
  readonly kind: "decolorize";
  readonly field: string;
}

/** `replace ("old", "new") at field limit 3`. */
export interface ReplacePipe {
  readonly kind: "replace";
  /** Empty: nothing is replaced. */
  readonly old: string;
  readonly replacement: string;
  readonly field: string;
  /** Replacements in one value; undefined: all. */
  readonly limit: number | undefined;
  readonly filter: FilterNode | undefined;
}

/** `replace_regexp ("host-(.+?)-x", "$1") at field limit 3`; `$1`, `${1}` and `${name}` stand for groups. */
export interface ReplaceRegexpPipe {
  readonly kind: "replaceRegexp";
  readonly pattern: string;
  readonly replacement: string;
  readonly field: string;
  readonly limit: number | undefined;
  readonly filter: FilterNode | undefined;
}

/** `len(field) as n` in bytes, `hash(field) as n`, `json_array_len(field) as n`. */
export interface MeasurePipe {
  readonly kind: "len" | "hash" | "jsonArrayLen";
  readonly field: string;
  readonly as: string;
}

/** `unpack_words from field as words drop_duplicates`: a JSON array of words. */
export interface UnpackWordsPipe {
  readonly kind: "unpackWords";
  readonly from: string;
  readonly as: string;
  readonly dropDuplicates: boolean;
}

/** `pack_json fields (a, b.*) as c`, `pack_logfmt`. */
export interface PackPipe {
  readonly kind: "pack";
  readonly format: "json" | "logfmt";
  /** None means all. */
  readonly fields: readonly FieldSelector[];
  readonly as: string;
}

/** `unpack_json from a fields (b, c.*) result_prefix "x_"`, `unpack_logfmt`, `unpack_syslog`. */
export interface UnpackPipe extends WriteOptions {
  readonly kind: "unpack";
  readonly format: "json" | "logfmt" | "syslog";
  readonly from: string;
  /** None means all. */
  readonly fields: readonly FieldSelector[];
  /** Before the name of each field. */
  readonly prefix: string;
  /** Of syslog: what times without a zone are east of UTC. */
  readonly offset: Duration;
}

/** `unroll by (a, b)`: a row for each item of the JSON arrays in these fields. */
export interface UnrollPipe {
  readonly kind: "unroll";
  readonly fields: readonly string[];
  readonly filter: FilterNode | undefined;
}

/** `sample 100`: about one row in so many, the same ones each time. */
export interface SamplePipe {
  readonly kind: "sample";
  /** At least 1. */
  readonly every: number;
}

/** `drop_empty_fields`: rows show no empty field; a row without any goes. */
export interface DropEmptyPipe {
  readonly kind: "dropEmpty";
}

/** A row of an inner query's answer. */
export type InnerRow = Readonly<Record<string, string>>;

/** `join by (a) (query) inner prefix "x."`: rows get the fields of the query's rows with equal keys. */
export interface JoinPipe {
  readonly kind: "join";
  readonly by: readonly string[];
  readonly query: Query;
  /** Rows without a match go; else they stay as they are. */
  readonly isInner: boolean;
  /** Before the names of the fields that are added. */
  readonly prefix: string;
  /** The query's answer, once it has been asked. */
  readonly found?: readonly InnerRow[];
}

/** `union (query)`: the query's rows after the others. */
export interface UnionPipe {
  readonly kind: "union";
  readonly query: Query;
  /** As of a join. */
  readonly found?: readonly InnerRow[];
}

/** `stream_context before 2 after 5 time_window 1h`: each record found with its neighbours of the stream. */
export interface StreamContextPipe {
  readonly kind: "streamContext";
  readonly before: number;
  readonly after: number;
  readonly window: Duration;
}

/** `facets 10 max_values_per_field 1000 max_value_len 128 keep_const_fields`. */
export interface FacetsPipe {
  readonly kind: "facets";
  /** Values shown of each field, the most frequent. */
  readonly limit: number;
  /** A field with more values is left out. */
  readonly valuesMax: number;
  /** A field with a longer value, in bytes, is left out. */
  readonly lengthMax: number;
  /** Fields that have one value in all rows are shown too. */
  readonly keepConst: boolean;
}

/** `block_stats`: a row for each field of each stored block with a row that was found. */
export interface BlockStatsPipe {
  readonly kind: "blockStats";
}

/** `blocks_count as n`: stored blocks with a row that was found. */
export interface BlocksCountPipe {
  readonly kind: "blocksCount";
  readonly as: string;
}
