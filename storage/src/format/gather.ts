import type { Block, Column, Values } from "../../../kit/src/block.ts";
import { dictValuesMax } from "./limits.ts";
import { ValueTable } from "./value-table.ts";

/** Rows of several blocks in a new order: row i is row `rowOf[i]` of block `sourceOf[i]`. */
export interface RowOrder {
  readonly sources: readonly Block[];
  readonly sourceOf: Uint32Array;
  readonly rowOf: Uint32Array;
}

/** One field's values in a new order: distinct ones and codes, or one for each row. */
export type Gathered =
  | { readonly kind: "dict"; readonly values: Values; readonly codes: Uint32Array }
  | { readonly kind: "rows"; readonly values: Values };

/** A column with what its inner loops need at hand. */
interface Source {
  readonly isRows: boolean;
  readonly codes: Column["codes"];
  readonly bytes: Buffer;
  readonly offsets: Uint32Array;
  /** Code in the new dictionary of each value of the old one, -1: not met yet. */
  readonly remap: Int32Array;
}

/**
 * Brings a field's values into a new order. As a dictionary if that is smaller: values of few kinds
 * are then kept once. Which of the sources have dictionaries of their own does not matter.
 */
export function gather(order: RowOrder, field: string): Gathered {
  const sources = order.sources.map((block) => sourceOf(block.column(field)));
  const codes = new Uint32Array(order.rowOf.length);
  const table = new ValueTable();
  if (gatherCodes(order, sources, codes, table)) {
    const values = table.values();
    const spread = spreadLength(values, codes);
    const width = table.size <= 256 ? 1 : 2;
    const cost = values.bytes.length + table.size * 2 + codes.length * width;
    if (table.size <= 256 || cost < (spread + codes.length) * 0.8)
      return { kind: "dict", values, codes };
  }
  return { kind: "rows", values: gatherRows(order, sources) };
}

const nothing: Source = {
  isRows: false,
  codes: undefined,
  bytes: Buffer.alloc(0),
  offsets: new Uint32Array(2),
  remap: new Int32Array(1),
};

function sourceOf(column: Column | undefined): Source {
  if (column === undefined) return { ...nothing, remap: Int32Array.of(-1) };
  const { bytes, offsets } = column.values();
  const isRows = column.layout === "rows";
  const remap = new Int32Array(isRows ? 0 : column.valueCount).fill(-1);
  return { isRows, codes: column.codes, bytes, offsets, remap };
}

/** False when there are too many different values for a dictionary to pay. */
function gatherCodes(
  { sourceOf, rowOf }: RowOrder,
  sources: readonly Source[],
  codes: Uint32Array,
  table: ValueTable,
): boolean {
  let hashed = 0;
  for (let i = 0; i < codes.length; i++) {
    const source = sources[sourceOf[i] as number] as Source;
    const row = rowOf[i] as number;
    if (source.isRows) {
      codes[i] = table.codeOf(source.bytes, source.offsets[row]!, source.offsets[row + 1]!);
      hashed++;
      // Early enough to spare the work, late enough to have met repeated values.
      if ((hashed & 4_095) === 0 && table.size * 4 > hashed * 3) return false;
    } else {
      const value = source.codes === undefined ? 0 : source.codes[row]!;
      let code = source.remap[value]!;
      if (code < 0) {
        code = table.codeOf(source.bytes, source.offsets[value]!, source.offsets[value + 1]!);
        source.remap[value] = code;
      }
      codes[i] = code;
    }
    if (table.size > dictValuesMax) return false;
  }
  return true;
}

function spreadLength({ offsets }: Values, codes: Uint32Array): number {
  let length = 0;
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i] as number;
    length += offsets[code + 1]! - offsets[code]!;
  }
  return length;
}

function gatherRows({ sourceOf, rowOf }: RowOrder, sources: readonly Source[]): Values {
  const offsets = new Uint32Array(rowOf.length + 1);
  const starts = new Uint32Array(rowOf.length);
  let length = 0;
  for (let i = 0; i < rowOf.length; i++) {
    const source = sources[sourceOf[i] as number] as Source;
    const row = rowOf[i] as number;
    const value = source.isRows ? row : source.codes === undefined ? 0 : source.codes[row]!;
    const start = source.offsets[value]!;
    starts[i] = start;
    length += source.offsets[value + 1]! - start;
    offsets[i + 1] = length;
  }
  const bytes = Buffer.allocUnsafeSlow(length);
  for (let i = 0; i < rowOf.length; i++) {
    const source = sources[sourceOf[i] as number] as Source;
    copyValue(source.bytes, starts[i]!, bytes, offsets[i]!, offsets[i + 1]!);
  }
  return { bytes, offsets };
}

function copyValue(from: Buffer, start: number, to: Buffer, at: number, end: number): void {
  if (end - at > 64) from.copy(to, at, start, start + end - at);
  else while (at < end) to[at++] = from[start++]!;
}
