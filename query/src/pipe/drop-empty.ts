import { codeAt, emptyValues } from "../table/column.ts";
import { View } from "../table/view.ts";
import type { RowPipe, Rows } from "./pipe.ts";

/** `drop_empty_fields`: rows show no empty field, and a row without any goes. */
export class DropEmptyPipe implements RowPipe {
  apply({ view, rows }: Rows): Rows {
    const found = view.names.flatMap((name) => {
      const column = view.column(name);
      return column === undefined ? [] : [{ name, column, empty: emptyValues(column) }];
    });
    const filled = rows.filter((row) =>
      found.some(({ column, empty }) => empty[codeAt(column, row)] === 0),
    );
    // What has no column goes: as a record's, a time that is not there would be made up.
    const names = found.map(({ name }) => name);
    const shown = view.shape === "records" ? view : View.table(view, names, "records");
    return { view: shown, rows: filled };
  }
}
