import type { Block } from "../../../kit/src/block.ts";
import { type Moment, momentCompare } from "../../../kit/src/time.ts";
import type { TimeNode } from "../language/ast.ts";
import { printFilter } from "../language/print-filter.ts";
import { costs, type Filter } from "./filter.ts";
import type { RowSet } from "./row-set.ts";

/** Matches rows whose time lies in a half-open range: `_time:[a, b)`. */
export class TimeFilter implements Filter {
  readonly cost = costs.number;
  readonly #node: TimeNode;
  readonly #from: Moment;
  readonly #to: Moment;

  /** The node's bounds are moments: `resolveTimes` has been there. */
  constructor(node: TimeNode) {
    this.#node = node;
    this.#from = node.from ?? { ms: -Infinity, ns: 0 };
    this.#to = node.to ?? { ms: Infinity, ns: 0 };
  }

  mayMatch(block: Block): boolean {
    const endsBefore = momentCompare(block.timeMax, this.#from) < 0;
    const startsAfter = momentCompare(block.timeMin, this.#to) >= 0;
    return !endsBefore && !startsAfter;
  }

  narrow(block: Block, rows: RowSet): void {
    if (!this.mayMatch(block)) {
      rows.clear();
      return;
    }
    const [from, to] = [this.#from, this.#to];
    const startsInside = momentCompare(block.timeMin, from) >= 0;
    if (startsInside && momentCompare(block.timeMax, to) < 0) return;
    const { ms, ns } = block.times();
    for (let row = rows.next(0); row >= 0; row = rows.next(row + 1)) {
      const at = ms[row] as number;
      const within = ns === undefined ? 0 : (ns[row] as number);
      const isIn =
        (at > from.ms || (at === from.ms && within >= from.ns)) &&
        (at < to.ms || (at === to.ms && within < to.ns));
      if (!isIn) rows.remove(row);
    }
  }

  toString(): string {
    return printFilter(this.#node);
  }
}
