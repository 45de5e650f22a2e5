import type { Column } from "../../../kit/src/block.ts";
import { codeAt, ValuesBuilder, ValuesColumn } from "../table/column.ts";

/**
 * A column that has `update`'s values at the given rows, where `when` agrees, and the original's
 * at all others. Rows that are in neither set are never read, so they stay empty.
 */
export function overlay(
  original: Column | undefined,
  update: Column,
  options: {
    readonly rowCount: number;
    readonly rows: Uint32Array;
    readonly updated: Uint32Array;
    readonly when?: (oldIsEmpty: boolean, newIsEmpty: boolean) => boolean;
  },
): Column {
  const { rowCount, rows, updated, when } = options;
  const source = new Uint8Array(rowCount);
  for (const row of rows) source[row] = 1;
  for (const row of updated) {
    const takes = when?.(isEmptyAt(original, row), isEmptyAt(update, row)) ?? true;
    if (takes) source[row] = 2;
  }
  const builder = new ValuesBuilder(rowCount);
  for (let row = 0; row < rowCount; row++) {
    const column = source[row] === 2 ? update : source[row] === 1 ? original : undefined;
    pushValue(builder, column, row);
  }
  return new ValuesColumn("rows", builder.finish());
}

/** Appends the value of a row, the empty one when there is no column. */
export function pushValue(builder: ValuesBuilder, column: Column | undefined, row: number): void {
  if (column === undefined) {
    builder.pushText("");
    return;
  }
  const { bytes, offsets } = column.values();
  const code = codeAt(column, row);
  builder.pushBytes(bytes, offsets[code] as number, offsets[code + 1] as number);
}

function isEmptyAt(column: Column | undefined, row: number): boolean {
  if (column === undefined) return true;
  const { offsets } = column.values();
  const code = codeAt(column, row);
  return offsets[code] === offsets[code + 1];
}
