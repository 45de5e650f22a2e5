import type { Codes, Column, Values } from "../../../kit/src/block.ts";
import { pickValues } from "../../../kit/src/pick.ts";
import { numbersOf } from "./numbers.ts";
import { printWholeNumbers } from "./whole-numbers.ts";

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

/** Whole numbers, printed when their texts are asked for. */
export class NumberColumn implements Column {
  readonly layout = "rows";
  readonly isNumeric = true;
  readonly codes = undefined;
  readonly templates = undefined;
  readonly valueCount: number;
  readonly #stored: Float64Array;
  readonly #absent: number | undefined;
  #numbers: Float64Array | undefined;
  #values: Values | undefined;

  /** `absent` stands for an empty value. */
  constructor(stored: Float64Array, absent: number | undefined) {
    this.valueCount = stored.length;
    this.#stored = stored;
    this.#absent = absent;
  }

  values(): Values {
    this.#values ??= printWholeNumbers(this.#stored, this.#absent);
    return this.#values;
  }

  pick(rows: Uint32Array): Values {
    if (this.#values !== undefined) return pickValues(this, this.#values, rows);
    const picked = new Float64Array(rows.length);
    for (let i = 0; i < rows.length; i++) picked[i] = this.#stored[rows[i]!]!;
    return printWholeNumbers(picked, this.#absent);
  }

  numbers(): Float64Array {
    if (this.#absent === undefined) return this.#stored;
    this.#numbers ??= this.#stored.map((number) => (number === this.#absent ? Number.NaN : number));
    return this.#numbers;
  }
}

/** A column of which few rows have a value; those of all rows are laid out when they are asked for. */
export class SparseColumn implements Column {
  readonly layout = "rows";
  readonly codes = undefined;
  readonly templates = undefined;
  readonly valueCount: number;
  /** The rows that have a value, ascending, and their values. */
  readonly present: Uint16Array;
  readonly presentValues: Values;
  #values: Values | undefined;
  #numbers: Float64Array | undefined;

  constructor(present: Uint16Array, presentValues: Values, rowCount: number) {
    this.valueCount = rowCount;
    this.present = present;
    this.presentValues = presentValues;
  }

  values(): Values {
    this.#values ??= everyRow(this.presentValues, this.present, this.valueCount);
    return this.#values;
  }

  numbers(): Float64Array {
    this.#numbers ??= numbersOf(this.values());
    return this.#numbers;
  }

  pick(rows: Uint32Array): Values {
    return pickValues(this, this.values(), rows);
  }
}

/** Values for every row from those of the rows that have one; the bytes are shared. */
function everyRow(values: Values, rows: Uint16Array, rowCount: number): Values {
  const offsets = new Uint32Array(rowCount + 1);
  let next = 0;
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]!;
    const offset = values.offsets[i]!;
    // A call of `fill` costs more than the few rows it is for.
    while (next <= row) offsets[next++] = offset;
  }
  offsets.fill(values.offsets[rows.length]!, next);
  return { bytes: values.bytes, offsets };
}
