import { ServiceError } from "../../../kit/src/errors.ts";
import type { UnrollPipe as UnrollNode } from "../language/pipe-node.ts";
import { unrolledRowsMax } from "../limits.ts";
import { collectRows } from "../table/collect.ts";
import { textAt, ValuesColumn, valuesOf } from "../table/column.ts";
import { interrupt } from "../table/interrupt.ts";
import { itemsOf } from "./json-items.ts";
import { allRows, type RowPipe, type Rows } from "./pipe.ts";
import { rowsToUpdate } from "./write-field.ts";

/** `unroll by (a, b)`: a row for each item of the JSON arrays; what is no array, or an empty one, is one empty item. */
export class UnrollPipe implements RowPipe {
  readonly #node: UnrollNode;
  readonly #condition: RowPipe | undefined;

  /** `condition` narrows to the rows of `if (…)`. */
  constructor(node: UnrollNode, condition: RowPipe | undefined) {
    this.#node = node;
    this.#condition = condition;
  }

  apply({ view, rows }: Rows): Rows {
    const { fields } = this.#node;
    const unrolled = new Set(rowsToUpdate({ view, rows }, this.#condition));
    const columns = fields.map((field) => view.column(field));
    const texts: string[][] = fields.map(() => []);
    const sources: number[] = [];
    for (const row of rows) {
      interrupt.check();
      const lists = columns.map((column) => {
        const text = textAt(column, row);
        return unrolled.has(row) ? itemsOf(text) : [text];
      });
      const count = Math.max(1, ...lists.map(({ length }) => length));
      for (let i = 0; i < count; i++) {
        sources.push(row);
        for (const [f, list] of lists.entries()) texts[f]?.push(list[i] ?? "");
      }
      checkRowCount(sources.length);
    }
    return repeated({ view, rows: Uint32Array.from(sources) }, (each) =>
      fields.reduce(
        (made, field, f) => made.with(field, new ValuesColumn("rows", valuesOf(texts[f] ?? []))),
        each,
      ),
    );
  }
}

/** A view of its own for rows that may occur several times, as `change` makes it. */
export function repeated({ view, rows }: Rows, change: (view: Rows["view"]) => Rows["view"]): Rows {
  const copy = collectRows({ views: [view], viewOf: new Uint32Array(rows.length), rows }, true);
  return { view: change(copy), rows: allRows(rows.length) };
}

/** Throws `query.memory` when one step makes more rows than it may. */
export function checkRowCount(count: number): void {
  if (count <= unrolledRowsMax) return;
  throw new ServiceError("query.memory", "a pipe makes too many rows of these", {
    rowsMax: unrolledRowsMax,
  });
}
