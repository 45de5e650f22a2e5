import { assert } from "../../../kit/src/assert.ts";
import { momentCompare } from "../../../kit/src/time.ts";
import type { TimeBound, TimeNode } from "../language/filter-node.ts";
import type { Block } from "../source.ts";
import { costs, type Filter } from "./filter.ts";
import type { RowSet } from "./row-set.ts";

const ever = { ms: Number.NEGATIVE_INFINITY, ns: 0 };
const never = { ms: Number.POSITIVE_INFINITY, ns: 0 };

/** Rows whose time is in a half-open range. */
export class TimeFilter implements Filter {
  readonly cost = costs.time;
  readonly #from: { readonly ms: number; readonly ns: number };
  readonly #to: { readonly ms: number; readonly ns: number };

  constructor({ from, to }: TimeNode) {
    this.#from = from === undefined ? ever : momentOf(from);
    this.#to = to === undefined ? never : momentOf(to);
  }

  narrow(block: Block, rows: RowSet): void {
    const from = this.#from;
    const to = this.#to;
    if (momentCompare(block.timeMin, from) >= 0 && momentCompare(block.timeMax, to) < 0) return;
    const { ms, ns } = block.times();
    const marked = new Uint8Array(block.rowCount);
    for (let row = 0; row < marked.length; row++) {
      const at = ms[row] as number;
      const within = ns === undefined ? 0 : (ns[row] as number);
      const isAfter = at > from.ms || (at === from.ms && within >= from.ns);
      if (isAfter && (at < to.ms || (at === to.ms && within < to.ns))) marked[row] = 1;
    }
    rows.keepMarked(marked, undefined);
  }
}

function momentOf(bound: TimeBound) {
  assert(bound.kind === "moment", "times are resolved before a filter is compiled");
  return bound;
}
