import type { Codes, Column, Values } from "../../../kit/src/block.ts";
import { pickValues } from "../../../kit/src/pick.ts";
import { numbersOf } from "./numbers.ts";

/** A column over values that are there already. */
export class PlainColumn implements Column {
  readonly layout: "const" | "dict" | "rows";
  readonly codes: Codes | undefined;
  readonly valueCount: number;
  readonly templates = undefined;
  readonly #values: Values;
  #numbers: Float64Array | undefined;

  constructor(layout: "const" | "dict" | "rows", values: Values, codes?: Codes) {
    this.layout = layout;
    this.codes = codes;
    this.valueCount = values.offsets.length - 1;
    this.#values = values;
  }

  values(): Values {
    return this.#values;
  }

  numbers(): Float64Array {
    this.#numbers ??= numbersOf(this.#values);
    return this.#numbers;
  }

  pick(rows: Uint32Array): Values {
    return pickValues(this, this.#values, rows);
  }
}
