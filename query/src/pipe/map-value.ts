import { constColumn as constant } from "../table/column.ts";
import type { RowPipe, Rows } from "./pipe.ts";
import { columnLike, eachValue } from "./values.ts";
import { overwrite, rowsToUpdate, writeField } from "./write-field.ts";

/** A pipe that makes one field of one other: looks at each distinct value once. */
export class MapValuePipe implements RowPipe {
  readonly #from: string;
  readonly #to: string;
  readonly #textOf: (text: string) => string;
  readonly #condition: RowPipe | undefined;

  /** `condition` narrows to the rows of `if (…)`; a row without the field has the empty text. */
  constructor(
    { from, to }: { readonly from: string; readonly to: string },
    textOf: (text: string) => string,
    condition?: RowPipe,
  ) {
    this.#from = from;
    this.#to = to;
    this.#textOf = textOf;
    this.#condition = condition;
  }

  apply({ view, rows }: Rows): Rows {
    const updated = rowsToUpdate({ view, rows }, this.#condition);
    const source = view.column(this.#from);
    const to = { rows, updated, rules: overwrite };
    if (source === undefined) {
      const text = this.#textOf("");
      // A field that is not there and stays empty needs no column.
      if (text === "" && this.#from === this.#to) return { view, rows };
      return { view: writeField(view, this.#to, constant(text), to), rows };
    }
    const texts = new Array<string | undefined>(source.valueCount);
    eachValue(source, updated, (text, code) => {
      texts[code] = this.#textOf(text);
    });
    return { view: writeField(view, this.#to, columnLike(source, texts), to), rows };
  }
}
