import type { FilterNode } from "../language/filter-node.ts";
import { compileRegex } from "../regex/regex.ts";
import { emptyTest, exactPrefixTest, exactTest, existsTest, inTest } from "./exact.ts";
import type { Filter } from "./filter.ts";
import { literalTest, sequenceTest } from "./literal.ts";
import { AndFilter, anyFilter, NotFilter, OrFilter } from "./logic.ts";
import {
  compareTest,
  ipv4RangeTest,
  lengthRangeTest,
  rangeTest,
  stringRangeTest,
} from "./number.ts";
import { regexTest } from "./regex.ts";
import { StreamFilter } from "./stream.ts";
import { TimeFilter } from "./time.ts";
import { FieldFilter, type ValueTest } from "./values.ts";

const phraseEdges = { before: true, after: true };
const prefixEdges = { before: true, after: false };
const anywhere = { before: false, after: false };

/** Compiles a condition; its times are resolved. Throws `query.syntax` for a pattern that cannot be. */
export function compileFilter(node: FilterNode): Filter {
  switch (node.kind) {
    case "any":
      return anyFilter;
    case "and":
      return new AndFilter(node.parts.map(compileFilter));
    case "or":
      return new OrFilter(node.parts.map(compileFilter));
    case "not":
      return new NotFilter(compileFilter(node.part));
    case "stream":
      return new StreamFilter(node);
    case "time":
      return new TimeFilter(node);
    case "containsAny":
      return new OrFilter(node.values.map((text) => phraseFilter(node.field, text)));
    case "containsAll":
      return new AndFilter(node.values.map((text) => phraseFilter(node.field, text)));
    default:
      return new FieldFilter(node.field, testOf(node));
  }
}

function phraseFilter(field: string, text: string): Filter {
  return text === "" ? anyFilter : new FieldFilter(field, literalTest(text, phraseEdges, false));
}

type FieldNode = Exclude<
  FilterNode,
  {
    readonly kind: "any" | "and" | "or" | "not" | "stream" | "time" | "containsAny" | "containsAll";
  }
>;

function testOf(node: FieldNode): ValueTest {
  switch (node.kind) {
    case "phrase":
      return literalTest(node.text, phraseEdges, node.ignoreCase);
    case "prefix":
      return literalTest(node.text, prefixEdges, node.ignoreCase);
    case "substring":
      return literalTest(node.text, anywhere, false);
    case "regex":
      return regexTest(compileRegex(node.pattern));
    case "exact":
      return exactTest(node.value);
    case "exactPrefix":
      return exactPrefixTest(node.value);
    case "compare":
      return compareTest(node);
    case "range":
      return rangeTest(node);
    case "stringRange":
      return stringRangeTest(node.min, node.max);
    case "lengthRange":
      return lengthRangeTest(node.min, node.max);
    case "in":
      return inTest(node.values);
    case "sequence":
      return sequenceTest(node.values);
    case "ipv4Range":
      return ipv4RangeTest(node.min, node.max);
    case "exists":
      return existsTest;
    case "empty":
      return emptyTest;
  }
}
