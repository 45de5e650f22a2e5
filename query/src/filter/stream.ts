import type { LabelMatcher, StreamNode } from "../language/filter-node.ts";
import { compileRegex, type Regex } from "../regex/regex.ts";
import type { Block, StreamLabels } from "../source.ts";
import { costs, type Filter } from "./filter.ts";
import type { RowSet } from "./row-set.ts";

/** Rows whose stream meets every matcher of a group. Each distinct stream is looked at once. */
export class StreamFilter implements Filter {
  readonly cost = costs.stream;
  readonly #groups: readonly (readonly ((labels: StreamLabels) => boolean)[])[];
  /** Verdicts by the stream's text: blocks have their streams in common. */
  readonly #known = new Map<string, boolean>();

  constructor({ groups }: StreamNode) {
    this.#groups = groups.map((group) => group.map(matcherOf));
  }

  narrow(block: Block, rows: RowSet): void {
    const { labels, codes } = block.streams();
    const marked = Uint8Array.from(labels, (each) => (this.#matches(each) ? 1 : 0));
    if (codes !== undefined) rows.keepMarked(marked, codes);
    else if (marked[0] === 0) rows.clear();
  }

  #matches(labels: StreamLabels): boolean {
    const known = this.#known.get(labels.text);
    if (known !== undefined) return known;
    const matches = this.#groups.some((group) => group.every((matcher) => matcher(labels)));
    if (this.#known.size < knownMax) this.#known.set(labels.text, matches);
    return matches;
  }
}

/** Streams whose verdict is kept; more are looked at again. */
const knownMax = 100_000;

function matcherOf(matcher: LabelMatcher): (labels: StreamLabels) => boolean {
  const labelOf = ({ pairs }: StreamLabels): string => pairs.get(matcher.label) ?? "";
  switch (matcher.op) {
    case "=":
      return (labels) => labelOf(labels) === matcher.value;
    case "!=":
      return (labels) => labelOf(labels) !== matcher.value;
    case "=~":
    case "!~": {
      const regex: Regex = compileRegex(`^(?:${matcher.value})$`);
      const wanted = matcher.op === "=~";
      return (labels) => regex.test(labelOf(labels)) === wanted;
    }
    case "in":
    case "not_in": {
      const values = new Set(matcher.values);
      const wanted = matcher.op === "in";
      return (labels) => values.has(labelOf(labels)) === wanted;
    }
  }
}
