import type { Column } from "../../../kit/src/block.ts";
import { checkColumnBytes, codeAt, ValuesBuilder, ValuesColumn } from "../table/column.ts";
import { interrupt } from "../table/interrupt.ts";

/** Calls `use` once with each value that the rows have, and its code; a row without the column has none. */
export function eachValue(
  column: Column,
  rows: Uint32Array,
  use: (text: string, code: number) => void,
): void {
  const { bytes, offsets } = column.values();
  const used = new Uint8Array(column.valueCount);
  for (const row of rows) used[codeAt(column, row)] = 1;
  for (let code = 0; code < used.length; code++) {
    if (used[code] !== 1) continue;
    interrupt.check();
    use(bytes.toString("utf8", offsets[code] as number, offsets[code + 1] as number), code);
  }
}

/** A column of the source's layout with these texts, by the source's codes; empty where there is none. */
export function columnLike(source: Column, texts: readonly (string | undefined)[]): Column {
  const builder = new ValuesBuilder(source.valueCount);
  for (let code = 0; code < source.valueCount; code++) builder.pushText(texts[code] ?? "");
  return new ValuesColumn(source.layout, builder.finish(), source.codes);
}

/** One value for each of the rows, empty for all others. */
export function columnOfRows(
  rowCount: number,
  rows: Uint32Array,
  textOf: (row: number) => string,
): Column {
  const texts = new Array<string | undefined>(rowCount);
  let length = 0;
  for (const row of rows) {
    interrupt.check();
    const text = textOf(row);
    texts[row] = text;
    length += text.length;
    checkColumnBytes(length);
  }
  const builder = new ValuesBuilder(rowCount);
  for (let row = 0; row < rowCount; row++) builder.pushText(texts[row] ?? "");
  return new ValuesColumn("rows", builder.finish());
}
