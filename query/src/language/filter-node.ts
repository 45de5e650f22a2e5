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
  | StreamNode
  | TimeNode
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

/** A moment, or one before now by `ms` and `ns` (negative `ms`: after); `resolveTimes` makes moments of these. */
export type TimeBound =
  | { readonly kind: "moment"; readonly ms: number; readonly ns: number }
  | { readonly kind: "ago"; readonly ms: number; readonly ns: number };
