import type { Block, StreamLabels } from "../../../kit/src/block.ts";
import type { LabelMatcher, StreamNode } from "../language/ast.ts";
import { printFilter } from "../language/print-filter.ts";
import { Pattern } from "../regex/pattern.ts";
import { costs, type Filter } from "./filter.ts";
import type { RowSet } from "./row-set.ts";

type LabelTest = (labels: StreamLabels) => boolean;

/** Matches rows of the streams that a selector picks: `{service="api", host=~"h.+"}`. Each stream is asked once a block. */
export class StreamFilter implements Filter {
  readonly cost = costs.code;
  readonly #node: StreamNode;
  readonly #groups: readonly (readonly LabelTest[])[];

  constructor(node: StreamNode) {
    this.#node = node;
    this.#groups = node.groups.map((group) => group.map(labelTest));
  }

  mayMatch(block: Block): boolean {
    return block.streams().labels.some((labels) => this.#matches(labels));
  }

  narrow(block: Block, rows: RowSet): void {
    const { labels, codes } = block.streams();
    const verdicts = Uint8Array.from(labels, (each) => (this.#matches(each) ? 1 : 0));
    if (verdicts.every((verdict) => verdict === 1)) return;
    if (codes === undefined || !verdicts.includes(1)) rows.clear();
    else rows.keepCodes(codes, verdicts);
  }

  toString(): string {
    return printFilter(this.#node);
  }

  #matches(labels: StreamLabels): boolean {
    return this.#groups.some((group) => group.every((test) => test(labels)));
  }
}

function labelTest(matcher: LabelMatcher): LabelTest {
  const { label } = matcher;
  const valueTest = valueTestOf(matcher);
  return ({ pairs }) => valueTest(pairs.get(label) ?? "");
}

function valueTestOf(matcher: LabelMatcher): (value: string) => boolean {
  if ("values" in matcher) {
    const values = new Set(matcher.values);
    return matcher.op === "in" ? (value) => values.has(value) : (value) => !values.has(value);
  }
  const { op, value: wanted } = matcher;
  if (op === "=") return (value) => value === wanted;
  if (op === "!=") return (value) => value !== wanted;
  const pattern = new Pattern(wanted);
  return op === "=~" ? (value) => pattern.testWhole(value) : (value) => !pattern.testWhole(value);
}
