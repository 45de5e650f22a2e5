import { streamIdField } from "../table/stream-id.ts";
import type { RowPipe, Rows } from "./pipe.ts";

/** Makes the streams' ids a field like others; the first pipe of a query that names it. */
export class ShowStreamIdPipe implements RowPipe {
  apply({ view, rows }: Rows): Rows {
    return { view: view.with(streamIdField, view.column(streamIdField)), rows };
  }
}
