import assert from "node:assert/strict";
import test from "node:test";
import { FieldNamesPipe } from "../src/pipe/field-names.ts";
import { textAt, ValuesColumn, valuesOf } from "../src/table/column.ts";
import { TableBlock } from "../src/table/table-block.ts";
import { View } from "../src/table/view.ts";

/** A column of which few rows have a value; the others' are not to be laid out. */
class FewValues extends ValuesColumn {
  readonly present: Uint16Array;

  constructor(rowCount: number, present: readonly number[]) {
    const texts = Array.from({ length: rowCount }, (_, row) => (present.includes(row) ? "x" : ""));
    super("rows", valuesOf(texts));
    this.present = Uint16Array.from(present);
  }

  override values(): never {
    throw new Error("all rows were laid out");
  }
}

function countsOf(rows: readonly number[]): Record<string, string> {
  const columns = new Map([
    ["rare", new FewValues(10, [2, 7, 9])],
    ["once", new FewValues(10, [4])],
    ["often", new ValuesColumn("rows", valuesOf(Array.from("0123456789")))],
  ]);
  const pipe = new FieldNamesPipe("name");
  const view = View.table(new TableBlock({ rowCount: 10, columns }));
  pipe.add({ view, rows: Uint32Array.from(rows) });
  const found = pipe.finish();
  return Object.fromEntries(
    Array.from(found.rows, (row) => [
      textAt(found.view.column("name"), row),
      textAt(found.view.column("hits"), row),
    ]),
  );
}

test("fields that few rows have are counted without laying out the others", () => {
  const all = Array.from({ length: 10 }, (_, row) => row);
  assert.deepEqual(countsOf(all), { often: "10", rare: "3", once: "1" });
  assert.deepEqual(countsOf([1, 2, 3, 9]), { often: "4", rare: "2" });
  assert.deepEqual(countsOf([9, 9, 4]), { often: "3", rare: "2", once: "1" }, "rows may repeat");
});
