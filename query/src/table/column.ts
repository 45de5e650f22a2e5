import type { Codes, Column, Templates, Values } from "../../../kit/src/block.ts";
import { ServiceError } from "../../../kit/src/errors.ts";
import { pickValues } from "../../../kit/src/pick.ts";
import { columnBytesMax } from "../limits.ts";
import { codesInto } from "./codes.ts";
import { parseNumber, printNumber } from "./number.ts";

/** A column whose values are there already; numbers are parsed on first use. */
export class ValuesColumn implements Column {
  readonly layout: Column["layout"];
  readonly codes: Codes | undefined;
  readonly templates: Templates | undefined = undefined;
  readonly #values: Values;
  #numbers: Float64Array | undefined;

  constructor(layout: Column["layout"], values: Values, codes?: Codes) {
    this.layout = layout;
    this.codes = codes;
    this.#values = values;
  }

  get valueCount(): number {
    return this.#values.offsets.length - 1;
  }

  values(): Values {
    return this.#values;
  }

  numbers(): Float64Array {
    this.#numbers ??= parsedNumbers(this.#values);
    return this.#numbers;
  }

  pick(rows: Uint32Array): Values {
    return pickValues(this, this.#values, rows);
  }
}

/** Numbers, printed on first use; where `absent` is 1 the value is empty. */
export class NumberColumn implements Column {
  readonly layout: Column["layout"];
  readonly codes: undefined;
  readonly templates: Templates | undefined = undefined;
  readonly #numbers: Float64Array;
  readonly #absent: Uint8Array;
  #values: Values | undefined;

  constructor(layout: "const" | "rows", numbers: Float64Array, absent: Uint8Array) {
    this.layout = layout;
    this.#numbers = numbers;
    this.#absent = absent;
  }

  get valueCount(): number {
    return this.#numbers.length;
  }

  values(): Values {
    this.#values ??= valuesOf(this.#texts());
    return this.#values;
  }

  numbers(): Float64Array {
    return this.#numbers;
  }

  pick(rows: Uint32Array): Values {
    return pickValues(this, this.values(), rows);
  }

  *#texts(): Iterable<string> {
    for (let i = 0; i < this.#numbers.length; i++) {
      yield this.#absent[i] === 1 ? "" : printNumber(this.#numbers[i] as number);
    }
  }
}

function parsedNumbers(values: Values): Float64Array {
  const { bytes, offsets } = values;
  const count = offsets.length - 1;
  const numbers = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    numbers[i] = parseNumber(bytes, offsets[i] as number, offsets[i + 1] as number);
  }
  return numbers;
}

/** Writes values one after the other. */
export class ValuesBuilder {
  #bytes: Buffer;
  #length = 0;
  #offsets: Uint32Array;
  #count = 0;

  constructor(countHint = 64, bytesHint = 1024) {
    this.#bytes = Buffer.allocUnsafeSlow(Math.max(bytesHint, 64));
    this.#offsets = new Uint32Array(countHint + 1);
  }

  get byteSize(): number {
    return this.#bytes.length + 4 * this.#offsets.length;
  }

  pushBytes(bytes: Uint8Array, from: number, to: number): void {
    const length = to - from;
    if (this.#length + length > this.#bytes.length) this.#grow(length);
    if (length > 32) {
      this.#bytes.set(bytes.subarray(from, to), this.#length);
    } else {
      const own = this.#bytes;
      for (let i = from, o = this.#length; i < to; i++, o++) own[o] = bytes[i] as number;
    }
    this.#end(length);
  }

  pushText(text: string): void {
    // A UTF-16 unit takes at most three bytes.
    if (this.#length + text.length * 3 > this.#bytes.length) this.#grow(text.length * 3);
    this.#end(this.#bytes.write(text, this.#length));
  }

  finish(): Values {
    return {
      bytes: this.#bytes.subarray(0, this.#length) as Buffer,
      offsets: this.#offsets.subarray(0, this.#count + 1),
    };
  }

  #end(length: number): void {
    this.#length += length;
    if (++this.#count === this.#offsets.length) {
      const grown = new Uint32Array(this.#offsets.length * 2);
      grown.set(this.#offsets);
      this.#offsets = grown;
    }
    this.#offsets[this.#count] = this.#length;
  }

  #grow(length: number): void {
    checkColumnBytes(this.#length + length);
    const doubled = Math.min(this.#bytes.length * 2, columnBytesMax);
    const grown = Buffer.allocUnsafeSlow(Math.max(doubled, this.#length + length));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}

/** Throws `query.memory` when the values of one column are longer than they may be. */
export function checkColumnBytes(bytes: number): void {
  if (bytes <= columnBytesMax) return;
  throw new ServiceError("query.memory", "a pipe makes too long values of these", {
    bytesMax: columnBytesMax,
  });
}

/** The texts as values. */
export function valuesOf(texts: Iterable<string>): Values {
  const builder = new ValuesBuilder();
  for (const text of texts) builder.pushText(text);
  return builder.finish();
}

/** One text for every row. */
export function constColumn(text: string): Column {
  return new ValuesColumn("const", valuesOf([text]));
}

/** Which of a column's values a row has. */
export function codeAt(column: Column, row: number): number {
  if (column.layout === "rows") return row;
  return column.codes === undefined ? 0 : (column.codes[row] as number);
}

/** A row's value as text; the empty text when the row does not have the field. */
export function textAt(column: Column | undefined, row: number): string {
  if (column === undefined) return "";
  const code = codeAt(column, row);
  const { bytes, offsets } = column.values();
  return bytes.toString("utf8", offsets[code] as number, offsets[code + 1] as number);
}

/** Whether a value may be neither empty nor a number; looks at the values only where there are few. */
export function mayHaveTexts(column: Column): boolean {
  if (column.isNumeric === true) return false;
  if (column.layout === "rows") return true;
  const numbers = column.numbers();
  const { offsets } = column.values();
  for (let i = 0; i < numbers.length; i++) {
    if (Number.isNaN(numbers[i]) && offsets[i] !== offsets[i + 1]) return true;
  }
  return false;
}

/** One for each of the column's values that is empty. */
export function emptyValues(column: Column): Uint8Array {
  const { offsets } = column.values();
  const empty = new Uint8Array(column.valueCount);
  for (let i = 0; i < empty.length; i++) if (offsets[i] === offsets[i + 1]) empty[i] = 1;
  return empty;
}

/** Element i is the number of row `rows[i]`, NaN where it has none; not to be written to. */
export function numbersOf(column: Column, rows: Uint32Array, rowCount: number): Float64Array {
  if (column.layout === "rows" && rows.length === rowCount) return column.numbers();
  const numbers = new Float64Array(rows.length);
  gatherNumbers(column, rows, numbers);
  return numbers;
}

/** `out[i]` becomes the number of row `rows[i]`, NaN where it has none. */
export function gatherNumbers(
  column: Column | undefined,
  rows: Uint32Array,
  out: Float64Array,
): void {
  if (column === undefined) {
    out.fill(Number.NaN, 0, rows.length);
    return;
  }
  const numbers = column.numbers();
  if (column.layout === "const") {
    out.fill(numbers[0] as number, 0, rows.length);
  } else if (column.codes === undefined) {
    for (let i = 0; i < rows.length; i++) out[i] = numbers[rows[i] as number] as number;
  } else {
    const codes = new Uint32Array(rows.length);
    codesInto(column.codes, rows, false, codes);
    for (let i = 0; i < rows.length; i++) out[i] = numbers[codes[i] as number] as number;
  }
}
