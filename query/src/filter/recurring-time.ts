import type { Block } from "../../../kit/src/block.ts";
import type { DayRangeNode, WeekRangeNode } from "../language/ast.ts";
import { View } from "../table/view.ts";
import { costs, type Filter } from "./filter.ts";
import type { RowSet } from "./row-set.ts";

const minuteMs = 60_000;
const dayMs = 86_400_000;

/** `_time:day_range[08:00, 18:00)` and `_time:week_range[Mon, Fri]`, at the place whose offset from UTC is told. */
export class RecurringTimeFilter implements Filter {
  readonly cost = costs.number;
  readonly #isIn: (ms: number, ns: number) => boolean;
  readonly #text: string;

  constructor(node: DayRangeNode | WeekRangeNode, text: string) {
    this.#isIn = node.kind === "dayRange" ? dayTest(node) : weekTest(node);
    this.#text = text;
  }

  mayMatch(): boolean {
    return true;
  }

  narrow(block: Block, rows: RowSet): void {
    const times = block instanceof View ? block.shownTimes() : block.times();
    if (times === undefined) {
      rows.clear();
      return;
    }
    const { ms, ns } = times;
    for (let row = rows.next(0); row >= 0; row = rows.next(row + 1)) {
      if (!this.#isIn(ms[row] as number, ns?.[row] ?? 0)) rows.remove(row);
    }
  }

  toString(): string {
    return this.#text;
  }
}

/** What is left of a number when whole multiples of a size are taken away, never negative; NaN of NaN. */
function rest(value: number, size: number): number {
  return ((value % size) + size) % size;
}

function dayTest({ start, end, startInclusive, endInclusive, offset }: DayRangeNode) {
  const [from, to] = [start * minuteMs, end * minuteMs];
  return (ms: number, ns: number): boolean => {
    const nanos = ns + offset.ns;
    const inDay = rest(ms + offset.ms + Math.floor(nanos / 1e6), dayMs);
    const within = nanos % 1e6;
    const isAfter = inDay > from || (inDay === from && (within > 0 || startInclusive));
    return isAfter && (inDay < to || (inDay === to && within === 0 && endInclusive));
  };
}

function weekTest({ start, end, startInclusive, endInclusive, offset }: WeekRangeNode) {
  const [from, to] = [startInclusive ? start : start + 1, endInclusive ? end : end - 1];
  return (ms: number): boolean => {
    // The epoch began on a Thursday, the fourth day from Sunday.
    const day = rest(Math.floor((ms + offset.ms) / dayMs) + 4, 7);
    return day >= from && day <= to;
  };
}
