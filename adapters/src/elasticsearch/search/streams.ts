import type { StreamLabels } from "../../../../kit/src/block.ts";
import type { FilterNode, LabelMatcher, StreamNode } from "../../../../query/src/language/ast.ts";
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

/** Whether some selector of a filter has a pattern, for which it helps to know the streams. */
export function asksLabelPatterns(node: FilterNode): boolean {
  switch (node.kind) {
    case "and":
    case "or":
      return node.parts.some(asksLabelPatterns);
    case "not":
      return asksLabelPatterns(node.part);
    case "stream":
      return node.groups.flat().some(({ op }) => op === "=~" || op === "!~");
    default:
      return false;
  }
}

/**
 * `{service="api"}`: by the pair as it stands in the canonical text. `known` are all streams that records can be of,
 * if these are few enough.
 */
export function hasLabels(
  { groups }: StreamNode,
  known: readonly StreamLabels[] | undefined,
): Narrowed {
  return anyOf(groups.map((group) => allOf(group.map((matcher) => meets(matcher, known)))));
}

function meets(matcher: LabelMatcher, known: readonly StreamLabels[] | undefined): Narrowed {
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
      return hasMatching(label, matcher.value, known);
    case "!~":
      return noneOf(hasMatching(label, matcher.value, known));
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

/** A pattern is ours to decide, for each stream that is known; else only that the label is there, unless its lack matches. */
function hasMatching(
  label: string,
  source: string,
  known: readonly StreamLabels[] | undefined,
): Narrowed {
  const pattern = new Pattern(source);
  if (known !== undefined) {
    const labelOf = ({ pairs }: StreamLabels): string => pairs.get(label) ?? "";
    // Many streams share a value.
    const values = [...new Set(known.map(labelOf))];
    const matching = new Set(values.filter((value) => pattern.testWhole(value)));
    const picked = known.filter((labels) => matching.has(labelOf(labels)));
    return isStreamOneOf(picked.map(({ text }) => text));
  }
  if (pattern.testWhole("")) return unknown;
  return { may: hasLabel(label).may, must: "none" };
}

function beginning(text: string) {
  return { prefix: { [documentFields.stream]: { value: text } } };
}

function containing(text: string) {
  const escaped = text.replace(/[\\*?]/g, "\\$&");
  return { wildcard: { [documentFields.stream]: { value: `*${escaped}*` } } };
}
