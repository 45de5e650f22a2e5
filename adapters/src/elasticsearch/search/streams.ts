import type { LabelMatcher, StreamNode } from "../../../../query/src/language/ast.ts";
import { Pattern } from "../../../../query/src/regex/pattern.ts";
import { printStream } from "../../../../storage/src/format/stream-labels.ts";
import { documentFields } from "../field-name.ts";
import {
  allOf,
  anyClause,
  anyOf,
  exactly,
  type Narrowed,
  noneOf,
  nothing,
  unknown,
} from "./clause.ts";

/** `_stream:="{…}"`: the canonical text is one of these. */
export function isStreamOneOf(texts: readonly string[]): Narrowed {
  const terms = texts.filter((text) => text !== "");
  return terms.length === 0 ? nothing : exactly({ terms: { [documentFields.stream]: terms } });
}

/** `{service="api"}`: by the pair as it stands in the canonical text. */
export function hasLabels({ groups }: StreamNode): Narrowed {
  return anyOf(groups.map((group) => allOf(group.map(meets))));
}

function meets(matcher: LabelMatcher): Narrowed {
  const { label } = matcher;
  switch (matcher.op) {
    case "=":
      return hasPair(label, matcher.value);
    case "!=":
      return noneOf(hasPair(label, matcher.value));
    case "in":
      return anyOf(matcher.values.map((value) => hasPair(label, value)));
    case "not_in":
      return noneOf(anyOf(matcher.values.map((value) => hasPair(label, value))));
    case "=~":
      return hasMatching(label, matcher.value);
    case "!~":
      return noneOf(hasMatching(label, matcher.value));
  }
}

function hasPair(label: string, value: string): Narrowed {
  if (value === "") return noneOf(hasLabel(label));
  // The pair behind the brace or a comma. Within a value its quotes would be escaped.
  const pair = printStream([[label, value]]).slice(1, -1);
  return exactly(anyClause([beginning(`{${pair}`), containing(`,${pair}`)]));
}

function hasLabel(label: string): Narrowed {
  const name = printStream([[label, "x"]]).slice(1, -'"x"}'.length);
  return exactly(anyClause([beginning(`{${name}"`), containing(`,${name}"`)]));
}

/** A pattern is ours to decide; that the label is there is not, unless its lack matches too. */
function hasMatching(label: string, source: string): Narrowed {
  if (new Pattern(source).testWhole("")) return unknown;
  return { may: hasLabel(label).may, must: "none" };
}

function beginning(text: string) {
  return { prefix: { [documentFields.stream]: { value: text } } };
}

function containing(text: string) {
  const escaped = text.replace(/[\\*?]/g, "\\$&");
  return { wildcard: { [documentFields.stream]: { value: `*${escaped}*` } } };
}
