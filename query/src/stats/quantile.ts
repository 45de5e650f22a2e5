import { quantileError, quantileExactMax } from "../limits.ts";
import { gatherNumbers } from "../table/column.ts";
import { printNumber } from "../table/number.ts";
import { withUnits } from "../table/unit-number.ts";
import type { View } from "../table/view.ts";
import type { GroupedRows, StatsPartial, StatsState } from "./function.ts";

/**
 * `quantile(phi, a)` and `median(a)` over the values that are numbers: of n sorted values the one
 * at min(floor(phi × n), n − 1); empty where there is none. Exact up to `quantileExactMax` values a group; beyond, a
 * sketch with logarithmic bins (DDSketch): the answer is within `quantileError` of that value,
 * relative to it, in whatever order blocks and workers were merged.
 */
export class QuantileState implements StatsState {
  readonly #phi: number;
  readonly #fields: readonly string[];
  readonly #groups: (Sample | undefined)[] = [];
  #byteSize = 0;

  constructor(phi: number, fields: readonly string[]) {
    this.#phi = phi;
    this.#fields = fields;
  }

  get byteSize(): number {
    return this.#byteSize;
  }

  add(view: View, { rows, groups }: GroupedRows): void {
    const plain = new Float64Array(rows.length);
    for (const field of this.#fields) {
      const column = view.column(field);
      if (column === undefined) continue;
      gatherNumbers(column, rows, plain);
      const numbers = withUnits(column, rows, plain);
      for (let i = 0; i < numbers.length; i++) {
        const value = numbers[i] as number;
        if (Number.isNaN(value)) continue;
        const sample = this.#sample(groups === undefined ? 0 : (groups[i] as number));
        this.#byteSize += sample.add(value, 1);
      }
    }
  }

  export(): StatsPartial {
    return { function: "quantile", data: { samples: this.#groups.map((each) => each?.export()) } };
  }

  merge(partial: StatsPartial, groupOf: Uint32Array): void {
    const samples = partial.data["samples"] as (SampleData | undefined)[];
    for (const [i, data] of samples.entries()) {
      if (data === undefined) continue;
      this.#byteSize += this.#sample(groupOf[i] as number).merge(data);
    }
  }

  finish(group: number): string {
    const value = this.#groups[group]?.quantile(this.#phi);
    return value === undefined ? "" : printNumber(value);
  }

  #sample(group: number): Sample {
    let sample = this.#groups[group];
    if (sample === undefined) {
      sample = new Sample();
      this.#groups[group] = sample;
      this.#byteSize += 128;
    }
    return sample;
  }
}

interface SampleData {
  readonly exact: Float64Array;
  /** Bin and count, one after the other. */
  readonly bins: Float64Array;
  readonly min: number;
  readonly max: number;
}

const gamma = (1 + quantileError) / (1 - quantileError);
const logGamma = Math.log(gamma);
/** Smaller than any bin of a number that is not zero: 1e-308 lies at −71,000. */
const zeroBin = 0;
const binShift = 100_000;

/** The values of one group: as they are, then by bins. A byte count is given by what may grow. */
class Sample {
  #exact = new Float64Array(8);
  #count = 0;
  #bins: Map<number, number> | undefined;
  #min = Number.POSITIVE_INFINITY;
  #max = Number.NEGATIVE_INFINITY;

  add(value: number, count: number): number {
    if (value < this.#min) this.#min = value;
    if (value > this.#max) this.#max = value;
    if (this.#bins !== undefined) return this.#addToBin(binOf(value), count);
    if (this.#count === quantileExactMax)
      return this.#sketch() + this.#addToBin(binOf(value), count);
    let grownBy = 0;
    if (this.#count === this.#exact.length) {
      const grown = new Float64Array(this.#count * 2);
      grown.set(this.#exact);
      grownBy = this.#count * 8;
      this.#exact = grown;
    }
    this.#exact[this.#count++] = value;
    return grownBy;
  }

  export(): SampleData {
    const bins = new Float64Array([...(this.#bins ?? [])].flat());
    const exact = this.#exact.slice(0, this.#count);
    return { exact, bins, min: this.#min, max: this.#max };
  }

  merge(data: SampleData): number {
    let grownBy = 0;
    for (const value of data.exact) grownBy += this.add(value, 1);
    if (data.bins.length > 0) {
      if (this.#bins === undefined) grownBy += this.#sketch();
      for (let i = 0; i < data.bins.length; i += 2) {
        grownBy += this.#addToBin(data.bins[i] as number, data.bins[i + 1] as number);
      }
    }
    this.#min = Math.min(this.#min, data.min);
    this.#max = Math.max(this.#max, data.max);
    return grownBy;
  }

  quantile(phi: number): number | undefined {
    if (this.#bins === undefined) {
      if (this.#count === 0) return undefined;
      const sorted = this.#exact.slice(0, this.#count).sort();
      return sorted[rankOf(phi, this.#count)];
    }
    const bins = [...this.#bins].sort(([a], [b]) => a - b);
    const total = bins.reduce((sum, [, count]) => sum + count, 0);
    let left = rankOf(phi, total);
    for (const [bin, count] of bins) {
      if (left < count) return Math.min(Math.max(middleOf(bin), this.#min), this.#max);
      left -= count;
    }
    return this.#max;
  }

  /** Turns the exact values into bins. */
  #sketch(): number {
    this.#bins = new Map();
    let grownBy = -8 * this.#exact.length;
    for (let i = 0; i < this.#count; i++) {
      grownBy += this.#addToBin(binOf(this.#exact[i] as number), 1);
    }
    this.#exact = new Float64Array(0);
    this.#count = 0;
    return grownBy;
  }

  #addToBin(bin: number, count: number): number {
    const bins = this.#bins as Map<number, number>;
    const before = bins.get(bin);
    bins.set(bin, (before ?? 0) + count);
    return before === undefined ? 40 : 0;
  }
}

function rankOf(phi: number, count: number): number {
  return Math.min(Math.max(Math.floor(phi * count), 0), count - 1);
}

/** Bins ascend with the values: negative ones mirror the positive ones around zero's. */
function binOf(value: number): number {
  if (value === 0) return zeroBin;
  const bin = Math.ceil(Math.log(Math.abs(value)) / logGamma) + binShift;
  return value < 0 ? -bin : bin;
}

function middleOf(bin: number): number {
  if (bin === zeroBin) return 0;
  const size = (2 * gamma ** (Math.abs(bin) - binShift)) / (gamma + 1);
  return bin < 0 ? -size : size;
}
