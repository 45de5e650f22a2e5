import type { Column, Values } from "../../../kit/src/block.ts";
import { codesInto } from "./codes.ts";

/** Values of some rows: the i-th row has value `places[i]`. */
export interface PlacedValues {
  readonly values: Values;
  readonly places: Uint32Array;
}

/** Values are taken row by row when fewer than one in so many rows is asked for; else a column is read as a whole. */
const pickedShare = 8;

/** Rows of a block in any order, whose values are read without those of the other rows where these are many. */
export class PickedRows {
  readonly #rows: Uint32Array;
  readonly #isFew: boolean;
  #ascending: { readonly rows: Uint32Array; readonly places: Uint32Array } | undefined;

  constructor(rows: Uint32Array, rowCount: number) {
    this.#rows = rows;
    this.#isFew = rows.length * pickedShare < rowCount;
  }

  of(column: Column): PlacedValues {
    if (column.layout === "const") {
      return { values: column.values(), places: new Uint32Array(this.#rows.length) };
    }
    if (this.#isFew) {
      const { rows, places } = this.#order();
      return { values: column.pick(rows), places };
    }
    if (column.codes === undefined) return { values: column.values(), places: this.#rows };
    const places = new Uint32Array(this.#rows.length);
    codesInto(column.codes, this.#rows, false, places);
    return { values: column.values(), places };
  }

  /** The rows in ascending order, and where in it each of ours is. */
  #order(): { readonly rows: Uint32Array; readonly places: Uint32Array } {
    if (this.#ascending !== undefined) return this.#ascending;
    const own = this.#rows;
    const order = Uint32Array.from(own, (_, i) => i).sort(
      (a, b) => (own[a] as number) - (own[b] as number),
    );
    const places = new Uint32Array(own.length);
    for (let i = 0; i < order.length; i++) places[order[i] as number] = i;
    this.#ascending = { rows: order.map((i) => own[i] as number), places };
    return this.#ascending;
  }
}
