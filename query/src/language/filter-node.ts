import type { Duration, Query } from "./ast.ts";

/** Where a row's time, stream and fields are asked something. `field` is `_msg` unless written. */
export type FilterNode =
  /** `*` */
  | { readonly kind: "any" }
  /** `error`, `"disk is full"`: the text stands in the value with no word byte adjoining its words. */
  | PhraseNode
  /** `err*`, `"disk is f"*`: as a phrase, but the last word may go on. */
  | PrefixNode
  /** `*rro*`: anywhere. */
  | { readonly kind: "substring"; readonly field: string; readonly text: string }
  /** `~"re"`: RE2 syntax, anywhere in the value. */
  | { readonly kind: "regex"; readonly field: string; readonly pattern: string }
  /** `:="x"`: the whole value. */
  | { readonly kind: "exact"; readonly field: string; readonly value: string }
  /** `:="x"*`: the value begins so. */
  | { readonly kind: "exactPrefix"; readonly field: string; readonly value: string }
  /** `:>10`: by number when `value` reads as one (`10KiB`, `5ms`, `0x1f`, IPv4, too), else by bytes. */
  | CompareNode
  /** `:range[1, 9)`: by number; `Inf` and `-Inf` are open ends. */
  | RangeNode
  /** `:string_range(a, b)`: a ≤ value < b by bytes. */
  | {
      readonly kind: "stringRange";
      readonly field: string;
      readonly min: string;
      readonly max: string;
    }
  /** `:len_range(5, 10)`: length in Unicode code points, both ends in. */
  | {
      readonly kind: "lengthRange";
      readonly field: string;
      readonly min: number;
      readonly max: number;
    }
  /** `:in(a, b)`: the whole value is one of these. */
  | { readonly kind: "in"; readonly field: string; readonly values: readonly string[] }
  /** `:contains_any(a, b)`, `:contains_all(a, b)`: each as a phrase. */
  | { readonly kind: "containsAny"; readonly field: string; readonly values: readonly string[] }
  | { readonly kind: "containsAll"; readonly field: string; readonly values: readonly string[] }
  /** `:seq(a, b)`: these phrases in this order. */
  | { readonly kind: "sequence"; readonly field: string; readonly values: readonly string[] }
  /** `:ipv4_range(10.0.0.0/8)`: addresses as unsigned 32-bit numbers, both ends in. */
  | {
      readonly kind: "ipv4Range";
      readonly field: string;
      readonly min: number;
      readonly max: number;
    }
  /** `field:*` and `field:""`. An absent field and an empty value are the same. */
  | { readonly kind: "exists"; readonly field: string }
  | { readonly kind: "empty"; readonly field: string }
  | CompareFieldNode
  /** `:value_type(dict)`: how the block of the row stores the field. */
  | { readonly kind: "valueType"; readonly field: string; readonly type: string }
  | SubqueryNode
  | StreamNode
  | TimeNode
  | DayRangeNode
  | WeekRangeNode
  /** Two or more parts, none of them of the same kind. */
  | { readonly kind: "and"; readonly parts: readonly FilterNode[] }
  | { readonly kind: "or"; readonly parts: readonly FilterNode[] }
  | { readonly kind: "not"; readonly part: FilterNode };

export interface PhraseNode {
  readonly kind: "phrase";
  readonly field: string;
  /** Never empty. */
  readonly text: string;
  /** `i(error)`. */
  readonly ignoreCase: boolean;
}

export interface PrefixNode {
  readonly kind: "prefix";
  readonly field: string;
  /** Never empty. */
  readonly text: string;
  readonly ignoreCase: boolean;
}

export interface CompareNode {
  readonly kind: "compare";
  readonly field: string;
  readonly op: ">" | ">=" | "<" | "<=";
  readonly value: string;
}

export interface RangeNode {
  readonly kind: "range";
  readonly field: string;
  /** As written; reads as a number. */
  readonly min: string;
  readonly max: string;
  readonly minInclusive: boolean;
  readonly maxInclusive: boolean;
}

/** `:eq_field(b)`, `:le_field(b)`, `:lt_field(b)`: the value against another field's of the same row. */
export interface CompareFieldNode {
  readonly kind: "compareField";
  readonly field: string;
  readonly op: "eq" | "le" | "lt";
  readonly other: string;
}

/** `:in(query)`, `:contains_any(query)`, `:contains_all(query)`: against the values that another query finds. */
export interface SubqueryNode {
  readonly kind: "subquery";
  readonly field: string;
  readonly test: "in" | "containsAny" | "containsAll";
  /** Ends with `fields name` or `uniq by (name)`. */
  readonly query: Query;
}

/** `{service="api", host=~"h.+" or service="web"}`: a row's stream meets every matcher of a group. */
export interface StreamNode {
  readonly kind: "stream";
  /** At least one group, each with at least one matcher; `{}` is the filter `any`. */
  readonly groups: readonly (readonly LabelMatcher[])[];
}

/** A label that a stream lacks has the value "". A regex stands for the whole value. */
export type LabelMatcher =
  | { readonly label: string; readonly op: "=" | "!=" | "=~" | "!~"; readonly value: string }
  | {
      readonly label: string;
      readonly op: "in" | "not_in";
      readonly values: readonly string[];
    };

/** `_time:…` in any form, as a half-open range: `from` is in it, `to` is not; undefined is open. */
export interface TimeNode {
  readonly kind: "time";
  readonly from: TimeBound | undefined;
  readonly to: TimeBound | undefined;
}

/** `_time:day_range[08:00, 18:00) offset 2h`: minutes of the day, 0 to 1,440, each end as a whole moment. */
export interface DayRangeNode {
  readonly kind: "dayRange";
  readonly start: number;
  readonly end: number;
  readonly startInclusive: boolean;
  readonly endInclusive: boolean;
  /** What the place is east of UTC. */
  readonly offset: Duration;
}

/** `_time:week_range[Mon, Fri] offset 2h`: days from Sunday, 0 to 6. */
export interface WeekRangeNode {
  readonly kind: "weekRange";
  readonly start: number;
  readonly end: number;
  readonly startInclusive: boolean;
  readonly endInclusive: boolean;
  readonly offset: Duration;
}

/** A moment, or one before now by `ms` and `ns` (negative `ms`: after); `resolveTimes` makes moments of these. */
export type TimeBound =
  | { readonly kind: "moment"; readonly ms: number; readonly ns: number }
  | { readonly kind: "ago"; readonly ms: number; readonly ns: number };
