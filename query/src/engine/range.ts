import type { Block } from "../../../kit/src/block.ts";
import { momentCompare } from "../../../kit/src/time.ts";
import type { RowSet } from "../filter/row-set.ts";
import type { TimeRange } from "../source.ts";

/** Removes the rows whose times lie outside the range; looks at no row when the block lies inside. */
export function narrowToRange(block: Block, rows: RowSet, { from, to }: TimeRange): void {
  const startsInside = momentCompare(block.timeMin, from) >= 0;
  const endsInside = momentCompare(block.timeMax, to) < 0;
  if (startsInside && endsInside) return;
  const { ms, ns } = block.times();
  for (let row = 0; row < block.rowCount; row++) {
    const at = ms[row] as number;
    const within = ns === undefined ? 0 : (ns[row] as number);
    const isBefore = at < from.ms || (at === from.ms && within < from.ns);
    const isAfter = at > to.ms || (at === to.ms && within >= to.ns);
    if (isBefore || isAfter) rows.remove(row);
  }
}
