import type { Column } from "../../../kit/src/block.ts";
import { RowSet } from "./row-set.ts";

/** Keeps the rows whose values are among those that `matching` picks of the ones it is asked for. */
export function narrowToValues(
  column: Column,
  rows: RowSet,
  matching: (wanted: RowSet) => RowSet,
): void {
  if (column.layout === "rows") {
    rows.and(matching(rows));
    return;
  }
  const found = matching(new RowSet(column.valueCount));
  if (found.isEmpty) rows.clear();
  else if (column.layout === "dict" && column.codes !== undefined) {
    const verdicts = new Uint8Array(column.valueCount);
    for (let i = found.next(0); i >= 0; i = found.next(i + 1)) verdicts[i] = 1;
    rows.keepCodes(column.codes, verdicts);
  }
}
