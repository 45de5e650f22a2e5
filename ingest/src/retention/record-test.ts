import { compileFilter, valueTestOf } from "../../../query/src/filter/compile.ts";
import { RowSet } from "../../../query/src/filter/row-set.ts";
import { matchesValue } from "../../../query/src/filter/value-scan.ts";
import type { FilterNode } from "../../../query/src/language/ast.ts";
import { RecordBlock } from "./record-block.ts";
import type { RecordValues } from "./record-values.ts";

/** Whether the record that the values are of now matches. */
export type RecordTest = () => boolean;

/** Values of `in(…)` that are compared one by one. */
const inValuesMax = 16;

/**
 * A filter of the query language as a test of one record. What asks for one value asks it in place, since it is asked
 * for every record; anything else asks the language's own filter of a block of one row.
 */
export function recordTest(node: FilterNode, values: RecordValues): RecordTest {
  switch (node.kind) {
    case "any":
      return () => true;
    case "and": {
      const parts = node.parts.map((part) => recordTest(part, values));
      return () => parts.every((part) => part());
    }
    case "or": {
      const parts = node.parts.map((part) => recordTest(part, values));
      return () => parts.some((part) => part());
    }
    case "not": {
      const part = recordTest(node.part, values);
      return () => !part();
    }
    case "exists":
      return () => values.valueOf(node.field) !== undefined;
    case "empty":
      return () => values.valueOf(node.field) === undefined;
    case "in":
      if (node.values.length === 0 || node.values.length > inValuesMax) break;
      return anyOf(node.values.map((value) => exactly(node.field, value, values)));
    case "exact":
      return exactly(node.field, node.value, values);
    default:
      break;
  }
  return valueTest(node, values) ?? blockTest(node, values);
}

function exactly(field: string, value: string, values: RecordValues): RecordTest {
  if (value === "") return recordTest({ kind: "empty", field }, values);
  const node: FilterNode = { kind: "exact", field, value };
  return valueTest(node, values) ?? blockTest(node, values);
}

function anyOf(tests: readonly RecordTest[]): RecordTest {
  return () => tests.some((test) => test());
}

function valueTest(node: FilterNode, values: RecordValues): RecordTest | undefined {
  const test = valueTestOf(node);
  if (test === undefined || !("field" in node)) return undefined;
  const { field } = node;
  return () => {
    const found = values.valueOf(field);
    return found === undefined ? test.matchesEmpty : matchesValue(test, found, 0);
  };
}

function blockTest(node: FilterNode, values: RecordValues): RecordTest {
  const filter = compileFilter(node);
  const block = new RecordBlock(values);
  const row = new RowSet(1);
  return () => {
    row.fill();
    filter.narrow(block, row);
    return !row.isEmpty;
  };
}
