import type { Moment } from "../../../kit/src/time.ts";
import type { FilterNode } from "./filter-node.ts";
import type { MathNode } from "./math-node.ts";
import type {
  BlockStatsPipe,
  BlocksCountPipe,
  FacetsPipe,
  InnerPipe,
  TransformPipe,
} from "./pipe-node.ts";

export type {
  CompareFieldNode,
  CompareNode,
  DayRangeNode,
  FilterNode,
  LabelMatcher,
  PhraseNode,
  PrefixNode,
  RangeNode,
  StreamNode,
  SubqueryNode,
  TimeBound,
  TimeNode,
  WeekRangeNode,
} from "./filter-node.ts";
export type { MathNode } from "./math-node.ts";

/**
 * A parsed question: a filter, then pipes. Everything is plain data, posted to threads as it is;
 * what was left out in the text is filled in, or undefined where leaving out means something.
 */
export interface Query {
  readonly options?: QueryOptions;
  readonly filter: FilterNode;
  readonly pipes: readonly PipeNode[];
}

/** `options(concurrency=2, ignore_global_time_filter=true)` in front of a query; at least one of them. */
export interface QueryOptions {
  /** Pieces of work at a time, at least 1. */
  readonly concurrency?: number;
  /** An inner query looks at all times, not only at those that the outer one was asked for. */
  readonly ignoreGlobalTimeFilter?: boolean;
}

/** A new pipe is a new member here, a parser in `parse-pipe.ts` and a printer in `print.ts`. */
export type PipeNode =
  | FieldsPipe
  | DeletePipe
  | RenamePipe
  | CopyPipe
  | StatsPipe
  | SortPipe
  | LimitPipe
  | OffsetPipe
  | TopPipe
  | UniqPipe
  | FilterPipe
  | MathPipe
  | ExtractPipe
  | FieldNamesPipe
  | FieldValuesPipe
  | FacetsPipe
  | BlockStatsPipe
  | BlocksCountPipe
  | TransformPipe
  | InnerPipe;

/** A field's name, or with `prefix` every field whose name begins so: `http.*`; `*` has name "". */
export interface FieldSelector {
  readonly name: string;
  readonly prefix: boolean;
}

/** `fields a, b.*`: keeps only these, in this order. */
export interface FieldsPipe {
  readonly kind: "fields";
  readonly fields: readonly FieldSelector[];
}

/** `delete a, b.*`, also `drop`, `del`, `rm`. */
export interface DeletePipe {
  readonly kind: "delete";
  readonly fields: readonly FieldSelector[];
}

export interface FieldPair {
  readonly from: string;
  readonly to: string;
  /** `a.* as b.*`: all fields whose names begin so, with another beginning. */
  readonly prefix?: true;
}

/** `rename a as b, c as d`, also `mv`; pairs are applied in order. */
export interface RenamePipe {
  readonly kind: "rename";
  readonly pairs: readonly FieldPair[];
}

/** `copy a as b`, also `cp`. */
export interface CopyPipe {
  readonly kind: "copy";
  readonly pairs: readonly FieldPair[];
}

/** `stats by (a, _time:5m) count() n, sum(x) if (filter) as s`. Without `by`, one row. */
export interface StatsPipe {
  readonly kind: "stats";
  readonly by: readonly GroupKey[];
  readonly functions: readonly StatsFunction[];
}

/** The result's field has the name `field`, bucketed or not. */
export interface GroupKey {
  readonly field: string;
  readonly bucket: Bucket | undefined;
}

/**
 * A value falls to its bucket's lower end. `time` (only of `_time`): floor((t − offset) / step) ·
 * step + offset, since the epoch; `calendar`: in UTC, weeks begin on Monday; `number`: as `time`, values that
 * are no number stay as they are.
 */
export type Bucket =
  | { readonly kind: "time"; readonly step: Duration; readonly offset: Duration }
  | { readonly kind: "calendar"; readonly unit: CalendarUnit }
  | { readonly kind: "number"; readonly step: number; readonly offset: number }
  | { readonly kind: "ipv4"; readonly bits: number };

export type CalendarUnit = "week" | "month" | "year";

/** A length of time in the shape of a moment: whole milliseconds (may be negative) and 0 to 999,999 ns. */
export type Duration = Moment;

export type StatsName =
  | "avg"
  | "count"
  | "count_empty"
  | "count_uniq"
  | "count_uniq_hash"
  | "histogram"
  | "json_values"
  | "max"
  | "median"
  | "min"
  | "quantile"
  | "rate"
  | "rate_sum"
  | "row_any"
  | "row_max"
  | "row_min"
  | "sum"
  | "sum_len"
  | "uniq_values"
  | "values";

export interface StatsFunction {
  readonly name: StatsName;
  /** Fields; none means all fields, for `count` all rows. `row_max` and `row_min` compare the first. */
  readonly args: readonly string[];
  /** `sum(a, b.*)`: also the fields whose names begin so; at least one when it is there. */
  readonly prefixes?: readonly string[];
  /** Only of `quantile`: 0 to 1. */
  readonly phi: number | undefined;
  /** Values kept by `count_uniq`, `uniq_values`, `values`. */
  readonly limit: number | undefined;
  /** `if (…)`: only these rows count. */
  readonly filter: FilterNode | undefined;
  /** The result's name: as written, or the function's own text, `count(*)`, `sum(bytes)`. */
  readonly as: string;
  /** Of `rate` and `rate_sum`: the seconds that are divided by, known once the range is. */
  readonly seconds?: number;
}

/** `sort by (a desc, b) partition by (c) offset 5 limit 10 rank as n`. At least one key. */
export interface SortPipe {
  readonly kind: "sort";
  readonly by: readonly SortKey[];
  readonly offset: number;
  /** Undefined: all rows. */
  readonly limit: number | undefined;
  /** Offset and limit count in each group of rows with equal values of these fields. */
  readonly partitionBy?: readonly string[];
  /** The field that gets a row's place, from 1; counted before the offset. */
  readonly rankAs?: string;
}

export interface SortKey {
  readonly field: string;
  readonly desc: boolean;
}

/** `limit 10`, also `head`. */
export interface LimitPipe {
  readonly kind: "limit";
  readonly count: number;
}

/** `offset 10`, also `skip`. */
export interface OffsetPipe {
  readonly kind: "offset";
  readonly count: number;
}

/** `top 5 by (a, b) hits as n`: the most frequent combinations, most frequent first. */
export interface TopPipe {
  readonly kind: "top";
  readonly limit: number;
  readonly by: readonly string[];
  /** The name of the count, `hits` unless told. */
  readonly hitsAs: string;
  /** The field that gets the place, from 1. */
  readonly rankAs?: string;
}

/** `uniq by (a, b) with hits limit 100`: each combination once. */
export interface UniqPipe {
  readonly kind: "uniq";
  readonly by: readonly string[];
  /** Undefined: no counts are asked for; else their name. */
  readonly hitsAs: string | undefined;
  readonly limit: number | undefined;
}

/** `filter level:error`, also `where`. */
export interface FilterPipe {
  readonly kind: "filter";
  readonly filter: FilterNode;
}

/** `math a / b as c, c * 100 as percent`: assignments in order, each sees the ones before. */
export interface MathPipe {
  readonly kind: "math";
  readonly assignments: readonly MathAssignment[];
}

export interface MathAssignment {
  readonly expression: MathNode;
  readonly as: string;
}

/** `extract if (filter) "user=<user> id=<_>" from _msg`. */
export interface ExtractPipe {
  readonly kind: "extract";
  readonly pattern: ExtractPattern;
  readonly from: string;
  /** `if (…)`: other rows pass unchanged. */
  readonly filter: FilterNode | undefined;
  /** A field that already has a value keeps it. */
  readonly keepOriginal: boolean;
  /** An empty result does not replace what was there. */
  readonly skipEmpty: boolean;
}

/**
 * Literal text and placeholders by turns: `steps[0].literal` `<steps[0].field>` … `tail`. The first
 * literal may stand anywhere in the value (unless it is empty: then the value begins with the first
 * placeholder); each placeholder runs to the next literal, the last to the end when `tail` is empty.
 */
export interface ExtractPattern {
  readonly steps: readonly ExtractStep[];
  readonly tail: string;
}

export interface ExtractStep {
  readonly literal: string;
  /** Undefined for `<_>` and `<>`, which match and store nothing. */
  readonly field: string | undefined;
  /** `<plain:field>`: a quoted string is not unquoted. */
  readonly plain: boolean;
}

/** `field_names`: rows of (`name`, `hits`), by how many rows have the field. */
export interface FieldNamesPipe {
  readonly kind: "fieldNames";
  readonly as: string;
}

/** `field_values level limit 10`: rows of (the field, `hits`), most frequent first. */
export interface FieldValuesPipe {
  readonly kind: "fieldValues";
  readonly field: string;
  readonly limit: number | undefined;
}
