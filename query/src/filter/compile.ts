import { assert } from "../../../kit/src/assert.ts";
import { ServiceError } from "../../../kit/src/errors.ts";
import type { CompareNode, FilterNode, PhraseNode, PrefixNode, TimeNode } from "../language/ast.ts";
import { parseIpv4, parseNumeric } from "../language/numeric.ts";
import { printFilter } from "../language/print-filter.ts";
import { Pattern } from "../regex/pattern.ts";
import { streamIdField } from "../table/stream-id.ts";
import { AndFilter } from "./and.ts";
import { AnyFilter } from "./any.ts";
import { CompareFieldFilter } from "./compare-field.ts";
import { ExactTest } from "./exact.ts";
import { ExistsFilter } from "./exists.ts";
import type { Filter } from "./filter.ts";
import { InFilter } from "./in.ts";
import { Ipv4RangeTest } from "./ipv4-range.ts";
import { LengthRangeTest } from "./length-range.ts";
import { NotFilter } from "./not.ts";
import { NumberFilter } from "./number.ts";
import { OrFilter } from "./or.ts";
import { PhraseTest } from "./phrase.ts";
import { AnyCasePhraseTest } from "./phrase-any-case.ts";
import { RecurringTimeFilter } from "./recurring-time.ts";
import { RegexTest } from "./regex.ts";
import { SequenceTest } from "./sequence.ts";
import { StreamFilter } from "./stream.ts";
import { SubstringTest } from "./substring.ts";
import { TextRangeTest } from "./text-range.ts";
import { TimeFilter } from "./time.ts";
import { ValueFilter } from "./value-filter.ts";
import type { ValueTest } from "./value-test.ts";
import { ValueTypeFilter } from "./value-type.ts";

/** The filter that a node means. Its times are resolved. Throws `query.invalid` for what is no regular expression. */
export function compileFilter(written: FilterNode): Filter {
  const node = idsAsShown(written);
  switch (node.kind) {
    case "any":
      return new AnyFilter();
    case "and":
      return new AndFilter(node.parts.map(compileFilter));
    case "or":
      return new OrFilter(node.parts.map(compileFilter));
    case "not":
      return new NotFilter(compileFilter(node.part));
    case "stream":
      return new StreamFilter(node);
    case "time":
      return timeFilter(node);
    case "dayRange":
    case "weekRange":
      return new RecurringTimeFilter(node, printFilter(node));
    case "compareField":
      return new CompareFieldFilter(node, printFilter(node));
    case "valueType":
      return new ValueTypeFilter(node.field, node.type, printFilter(node));
    case "subquery":
      throw new ServiceError("query.invalid", "a query within a filter cannot be asked here", {
        filter: printFilter(node).slice(0, 200),
      });
    case "exists":
      return new ExistsFilter(node.field, printFilter(node));
    case "empty":
      return new NotFilter(compileFilter({ kind: "exists", field: node.field }));
    case "in":
      return new InFilter(node.field, node.values, printFilter(node));
    case "containsAny":
      return new OrFilter(phrasesOf(node.field, node.values));
    case "containsAll":
      return new AndFilter(phrasesOf(node.field, node.values));
    case "sequence":
      return sequenceFilter(node.field, node.values, printFilter(node));
    case "compare":
      return compareFilter(node);
    case "range":
      return rangeFilter(node);
    case "exact":
      if (node.value === "") return compileFilter({ kind: "empty", field: node.field });
      return new ValueFilter(node.field, testOf(node), printFilter(node));
    case "exactPrefix":
      if (node.value === "") return new AnyFilter();
      return new ValueFilter(node.field, testOf(node), printFilter(node));
    default:
      return new ValueFilter(node.field, testOf(node), printFilter(node));
  }
}

/** An id of a stream is a number, whatever case its hexadecimal digits are written in; as a field it has small ones. */
function idsAsShown(node: FilterNode): FilterNode {
  if (!("field" in node) || node.field !== streamIdField) return node;
  switch (node.kind) {
    case "phrase":
      return { ...node, text: node.text.toLowerCase() };
    case "exact":
      return { ...node, value: node.value.toLowerCase() };
    case "in":
      return { ...node, values: node.values.map((value) => value.toLowerCase()) };
    default:
      return node;
  }
}

/** The test of one value that a node means, where it is one and no more; undefined where it is not. */
export function valueTestOf(node: FilterNode): ValueTest | undefined {
  switch (node.kind) {
    case "exact":
    case "exactPrefix":
      return node.value === "" ? undefined : testOf(node);
    case "phrase":
    case "prefix":
    case "substring":
    case "regex":
    case "stringRange":
    case "lengthRange":
    case "ipv4Range":
      return testOf(node);
    default:
      return undefined;
  }
}

type TestedNode = Extract<
  FilterNode,
  {
    readonly kind:
      | "phrase"
      | "prefix"
      | "substring"
      | "regex"
      | "exact"
      | "exactPrefix"
      | "stringRange"
      | "lengthRange"
      | "ipv4Range";
  }
>;

function testOf(node: TestedNode): ValueTest {
  switch (node.kind) {
    case "phrase":
    case "prefix":
      return phraseTest(node);
    case "substring":
      return new SubstringTest(node.text);
    case "regex":
      return new RegexTest(new Pattern(node.pattern));
    case "exact":
    case "exactPrefix":
      return new ExactTest(node.value, node.kind === "exactPrefix");
    case "stringRange": {
      const { min, max } = node;
      return new TextRangeTest({ min, max, minInclusive: true, maxInclusive: false });
    }
    case "lengthRange":
      return new LengthRangeTest(node.min, node.max);
    case "ipv4Range":
      return new Ipv4RangeTest(node.min, node.max);
  }
}

function phraseTest({ kind, text, ignoreCase }: PhraseNode | PrefixNode): ValueTest {
  const isPrefix = kind === "prefix";
  return ignoreCase ? new AnyCasePhraseTest(text, isPrefix) : new PhraseTest(text, isPrefix);
}

function phrasesOf(field: string, values: readonly string[]): readonly Filter[] {
  return values.map((text) =>
    compileFilter(
      text === "" ? { kind: "empty", field } : { kind: "phrase", field, text, ignoreCase: false },
    ),
  );
}

/** Empty phrases stand anywhere; a sequence of nothing matches everything. */
function sequenceFilter(field: string, values: readonly string[], text: string): Filter {
  const phrases = values.filter((value) => value !== "");
  if (phrases.length === 0) return new AnyFilter();
  return new ValueFilter(field, new SequenceTest(phrases), text);
}

function timeFilter(node: TimeNode): Filter {
  const isResolved = node.from?.kind !== "ago" && node.to?.kind !== "ago";
  assert(isResolved, "times are resolved before a filter is compiled");
  return new TimeFilter(node);
}

function rangeFilter(node: Extract<FilterNode, { readonly kind: "range" }>): Filter {
  const min = parseNumeric(node.min) ?? Number.NaN;
  const max = parseNumeric(node.max) ?? Number.NaN;
  const { minInclusive, maxInclusive } = node;
  return new NumberFilter(node.field, { min, max, minInclusive, maxInclusive }, printFilter(node));
}

/** By number where the text is one, by address where it is one, else by bytes. */
function compareFilter(node: CompareNode): Filter {
  const { field, op, value } = node;
  const isLower = op === ">" || op === ">=";
  const ends = { minInclusive: op === ">=", maxInclusive: op === "<=" };
  const number = parseNumeric(value);
  const text = printFilter(node);
  if (number !== undefined) {
    const min = isLower ? number : -Infinity;
    const max = isLower ? Infinity : number;
    // The open end takes infinity in.
    const inclusive = {
      minInclusive: !isLower || ends.minInclusive,
      maxInclusive: isLower || ends.maxInclusive,
    };
    return new NumberFilter(field, { min, max, ...inclusive }, text);
  }
  const address = parseIpv4(value);
  if (address !== undefined) {
    const min = isLower ? address + (op === ">" ? 1 : 0) : 0;
    const max = isLower ? 0xffffffff : address - (op === "<" ? 1 : 0);
    return new ValueFilter(field, new Ipv4RangeTest(min, max), text);
  }
  const [min, max] = isLower ? [value, undefined] : [undefined, value];
  return new ValueFilter(field, new TextRangeTest({ min, max, ...ends }), text);
}
