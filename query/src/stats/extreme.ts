import type { Column } from "../../../kit/src/block.ts";
import { mayHaveTexts, numbersOf } from "../table/column.ts";
import { GrowingF64 } from "../table/growing.ts";
import { printNumber } from "../table/number.ts";
import { numberWithUnit } from "../table/unit-number.ts";
import type { View } from "../table/view.ts";
import type { GroupedRows, StatsPartial, StatsState } from "./function.ts";

/**
 * `min(a, b)` and `max(a, b)`: of the values that are numbers; where a group has none, of its texts
 * by their bytes; empty where it has no value at all.
 */
export class ExtremeState implements StatsState {
  readonly #fields: readonly string[];
  /** 1 for the largest, −1 for the smallest. */
  readonly #sign: 1 | -1;
  readonly #numbers: GrowingF64;
  readonly #texts = new Map<number, Buffer>();
  #textBytes = 0;

  constructor(fields: readonly string[], sign: 1 | -1) {
    this.#fields = fields;
    this.#sign = sign;
    this.#numbers = new GrowingF64(Number.NaN);
  }

  get byteSize(): number {
    return this.#numbers.byteSize + this.#textBytes;
  }

  add(view: View, selection: GroupedRows): void {
    const { rows, groups, groupCount } = selection;
    const best = this.#numbers.upTo(groupCount);
    for (const field of this.#fields) {
      const column = view.column(field);
      if (column === undefined) continue;
      const numbers = numbersOf(column, rows, view.rowCount);
      const left = keepExtremes(best, numbers, groups, this.#sign);
      // Texts matter only to a group without numbers, and most columns have none.
      if (left > 0 && mayHaveTexts(column)) this.#addTexts(column, selection, numbers);
    }
  }

  export(): StatsPartial {
    const numbers = this.#numbers.export();
    const texts = [...this.#texts].filter(([group]) => Number.isNaN(this.#numbers.at(group)));
    return { function: "extreme", data: { numbers, texts } };
  }

  merge(partial: StatsPartial, groupOf: Uint32Array): void {
    const theirs = partial.data["numbers"] as Float64Array;
    const best = this.#numbers.upTo(groupOf.reduce((most, group) => Math.max(most, group + 1), 0));
    keepExtremes(best, theirs, groupOf.subarray(0, theirs.length), this.#sign);
    for (const [group, text] of partial.data["texts"] as [number, Uint8Array][]) {
      this.#keepText(groupOf[group] as number, Buffer.from(text));
    }
  }

  finish(group: number): string {
    const number = this.#numbers.at(group);
    if (!Number.isNaN(number)) return printNumber(number);
    return this.#texts.get(group)?.toString() ?? "";
  }

  #addTexts(column: Column, { rows, groups }: GroupedRows, numbers: Float64Array): void {
    const asked = new Uint32Array(rows.length);
    const groupsAsked = new Uint32Array(rows.length);
    let count = 0;
    for (let i = 0; i < rows.length; i++) {
      const group = groups === undefined ? 0 : (groups[i] as number);
      if (!Number.isNaN(numbers[i]) || !Number.isNaN(this.#numbers.at(group))) continue;
      asked[count] = rows[i] as number;
      groupsAsked[count++] = group;
    }
    if (count === 0) return;
    const { bytes, offsets } = column.pick(asked.subarray(0, count));
    for (let i = 0; i < count; i++) {
      const from = offsets[i] as number;
      const to = offsets[i + 1] as number;
      if (from < to) this.#keepText(groupsAsked[i] as number, bytes.subarray(from, to));
    }
  }

  #keepText(group: number, text: Buffer): void {
    const before = this.#texts.get(group);
    if (before !== undefined && compareTexts(text, before) * this.#sign <= 0) return;
    this.#textBytes += text.length - (before?.length ?? -64);
    this.#texts.set(group, Buffer.from(text));
  }
}

/** Sizes and durations by what they measure, other texts after them and by their bytes. */
function compareTexts(a: Buffer, b: Buffer): number {
  const [x, y] = [measureOf(a), measureOf(b)];
  if (x !== y) return x - y;
  return Buffer.compare(a, b);
}

function measureOf(text: Buffer): number {
  const number = numberWithUnit({ bytes: text, offsets: Uint32Array.of(0, text.length) }, 0);
  return Number.isNaN(number) ? Number.POSITIVE_INFINITY : number;
}

/** Gives how many of the numbers are none. */
function keepExtremes(
  best: Float64Array,
  numbers: Float64Array,
  groups: Uint32Array | undefined,
  sign: number,
): number {
  let none = 0;
  for (let i = 0; i < numbers.length; i++) {
    const value = numbers[i] as number;
    const group = groups === undefined ? 0 : (groups[i] as number);
    // Written so that a NaN of the group loses and a NaN among the values wins nothing.
    if (Number.isNaN(value)) none++;
    else if (!((value - (best[group] as number)) * sign <= 0)) best[group] = value;
  }
  return none;
}
