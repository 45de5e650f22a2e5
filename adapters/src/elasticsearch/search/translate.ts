import type { StreamLabels } from "../../../../kit/src/block.ts";
import type {
  CompareNode,
  FilterNode,
  StreamNode,
  TimeNode,
} from "../../../../query/src/language/ast.ts";
import { parseIpv4, parseNumeric } from "../../../../query/src/language/numeric.ts";
import { allOf, anyOf, everything, type Narrowed, noneOf, nothing, unknown } from "./clause.ts";
import { depthMax, leavesMax } from "./limits.ts";
import { FieldPlaces } from "./places.ts";
import { hasLabels, isStreamOneOf } from "./streams.ts";
import { inTimes } from "./times.ts";
import {
  beginsWith,
  hasMatch,
  hasPhrase,
  hasPhraseAnyCase,
  hasSomeValue,
  hasSubstring,
  hasValue,
  isBetween,
  isOneOf,
  isValue,
} from "./values.ts";

export interface TranslateOptions {
  /** Whether some record of the range has values that Elasticsearch keeps without an index. */
  readonly hasIgnored: boolean;
  /** All streams of the range, where they are known. */
  readonly streams?: readonly StreamLabels[] | undefined;
}

/**
 * What Elasticsearch can be asked of a filter whose times are resolved. Whatever it cannot say is
 * left to us, so that every filter means the same with it as without it.
 */
export function translateFilter(filter: FilterNode, options: TranslateOptions): Narrowed {
  return new Translation(options).of(filter, 0);
}

/** The kinds of filter that look at one field's value. */
type ValueNode = Exclude<
  Extract<FilterNode, { readonly field: string }>,
  { readonly kind: "compareField" | "valueType" | "subquery" }
>;

class Translation {
  readonly #places: FieldPlaces;
  readonly #streams: readonly StreamLabels[] | undefined;
  #leaves = 0;

  constructor({ hasIgnored, streams }: TranslateOptions) {
    this.#streams = streams;
    this.#places = new FieldPlaces(hasIgnored);
  }

  of(node: FilterNode, depth: number): Narrowed {
    if (depth > depthMax || this.#leaves > leavesMax) return unknown;
    switch (node.kind) {
      case "any":
        return everything;
      case "and":
        return allOf(node.parts.map((part) => this.of(part, depth + 1)));
      case "or":
        return anyOf(node.parts.map((part) => this.of(part, depth + 1)));
      case "not":
        return noneOf(this.of(node.part, depth + 1));
      case "stream":
        return this.#stream(node);
      case "time":
        return this.#time(node);
      case "dayRange":
      case "weekRange":
      case "compareField":
      case "valueType":
      case "subquery":
        return unknown;
      default:
        return this.#value(node);
    }
  }

  #stream(node: StreamNode): Narrowed {
    this.#leaves += node.groups.reduce((sum, group) => sum + group.length, 0);
    return hasLabels(node, this.#streams);
  }

  #time(node: TimeNode): Narrowed {
    this.#leaves++;
    return inTimes(node);
  }

  #value(node: ValueNode): Narrowed {
    this.#leaves += "values" in node ? Math.max(1, node.values.length) : 1;
    if (node.kind === "in") this.#leaves -= node.values.length - 1;
    if (this.#leaves > leavesMax) return unknown;
    if (node.field === "_stream") return streamValue(node);
    // Made of the labels, and in no document.
    if (node.field === "_stream_id") return unknown;
    const place = this.#places.of(node.field);
    if (place === undefined) return unknown;
    switch (node.kind) {
      case "phrase":
      case "prefix": {
        const ask = node.ignoreCase ? hasPhraseAnyCase : hasPhrase;
        return ask(place, node.text, node.kind === "prefix");
      }
      case "substring":
        return hasSubstring(place, node.text);
      case "regex":
        return hasMatch(place, node.pattern);
      case "exact":
        return isValue(place, node.value);
      case "exactPrefix":
        return beginsWith(place, node.value);
      case "in":
        return isOneOf(place, node.values);
      case "exists":
        return hasValue(place);
      case "empty":
        return noneOf(hasValue(place));
      case "containsAny":
        return anyOf(node.values.map((text) => phraseOrEmpty(place, text)));
      case "containsAll":
        return allOf(node.values.map((text) => phraseOrEmpty(place, text)));
      case "sequence":
        return sequence(place, node.values);
      case "stringRange": {
        const { min, max } = node;
        return isBetween(place, { min, max, minInclusive: true, maxInclusive: false });
      }
      case "compare":
        return compared(place, node);
      case "range":
      case "ipv4Range":
        return hasSomeValue(place);
      case "lengthRange":
        return node.min === 0 ? unknown : hasSomeValue(place);
    }
  }
}

type Place = NonNullable<ReturnType<FieldPlaces["of"]>>;

function phraseOrEmpty(place: Place, text: string): Narrowed {
  return text === "" ? noneOf(hasValue(place)) : hasPhrase(place, text, false);
}

/** Their order is ours to decide. */
function sequence(place: Place, values: readonly string[]): Narrowed {
  const phrases = values.filter((value) => value !== "");
  const all = allOf(phrases.map((text) => hasPhrase(place, text, false)));
  return phrases.length < 2 ? all : { may: all.may, must: "none" };
}

/** Numbers and addresses are kept as texts, whose order is another one. */
function compared(place: Place, { op, value }: CompareNode): Narrowed {
  if (parseNumeric(value) !== undefined || parseIpv4(value) !== undefined) {
    return hasSomeValue(place);
  }
  const isLower = op === ">" || op === ">=";
  const [min, max] = isLower ? [value, undefined] : [undefined, value];
  return isBetween(place, { min, max, minInclusive: op === ">=", maxInclusive: op === "<=" });
}

/** A stream's canonical text is one term; it is never empty. */
function streamValue(node: ValueNode): Narrowed {
  switch (node.kind) {
    case "exact":
      return isStreamOneOf([node.value]);
    case "in":
      return isStreamOneOf(node.values);
    case "exists":
      return everything;
    case "empty":
      return nothing;
    default:
      return unknown;
  }
}
