import { gatherMathNumbers } from "../table/math-numbers.ts";
import type { View } from "../table/view.ts";
import type { GroupedRows, StatsPartial, StatsState } from "./function.ts";

/** Buckets of one power of ten; each is 10^(1/18) times as wide as the one before, as VictoriaMetrics has them. */
const bucketsOfDecade = 18;
const exponentMin = -9;
const exponentMax = 18;

/** Numbers of buckets: below all, those between, above all. */
const lowest = 0;
const highest = (exponentMax - exponentMin) * bucketsOfDecade + 1;

/** `histogram(a)`: how many values lie in each bucket, as `[{"vmrange":"8.799e+00...1.000e+01","hits":1}]`. */
export class HistogramState implements StatsState {
  readonly #field: string;
  /** Of each group the hits by bucket. */
  readonly #groups: (Map<number, number> | undefined)[] = [];
  #entries = 0;

  constructor(field: string) {
    this.#field = field;
  }

  get byteSize(): number {
    return 32 * this.#entries + 64 * this.#groups.length;
  }

  add(view: View, { rows, groups }: GroupedRows): void {
    const numbers = new Float64Array(rows.length);
    gatherMathNumbers(view.column(this.#field), rows, numbers);
    for (let i = 0; i < numbers.length; i++) {
      const number = numbers[i] as number;
      // As in VictoriaMetrics: a histogram is of sizes and durations, which are not negative.
      if (number >= 0)
        this.#count(groups === undefined ? 0 : (groups[i] as number), bucketOf(number), 1);
    }
  }

  export(): StatsPartial {
    const groups = this.#groups.map((buckets) => (buckets === undefined ? [] : [...buckets]));
    return { function: "histogram", data: { groups } };
  }

  merge(partial: StatsPartial, groupOf: Uint32Array): void {
    const theirs = partial.data["groups"] as readonly (readonly [number, number][] | undefined)[];
    for (const [i, buckets] of theirs.entries()) {
      for (const [bucket, hits] of buckets ?? []) this.#count(groupOf[i] as number, bucket, hits);
    }
  }

  finish(group: number): string {
    const buckets = [...(this.#groups[group] ?? [])].sort(([a], [b]) => a - b);
    return JSON.stringify(buckets.map(([bucket, hits]) => ({ vmrange: rangeOf(bucket), hits })));
  }

  #count(group: number, bucket: number, hits: number): void {
    let buckets = this.#groups[group];
    if (buckets === undefined) {
      buckets = new Map();
      this.#groups[group] = buckets;
    }
    const before = buckets.get(bucket);
    if (before === undefined) this.#entries++;
    buckets.set(bucket, (before ?? 0) + hits);
  }
}

/** A bucket holds its upper bound and not its lower one. */
function bucketOf(value: number): number {
  if (value === 0) return lowest;
  const place = (Math.log10(value) - exponentMin) * bucketsOfDecade;
  if (place < 0) return lowest;
  if (place >= highest - 1) return highest;
  const below = Math.floor(place);
  // A bound itself, where the logarithm comes out whole, is of the bucket below.
  return place === below && below > 0 ? below : below + 1;
}

function rangeOf(bucket: number): string {
  if (bucket === lowest) return `0...${bound(0)}`;
  return `${bound(bucket - 1)}...${bucket === highest ? "+Inf" : bound(bucket)}`;
}

/** The upper bound of a bucket with three digits and a two-digit exponent: `8.799e+00`. */
function bound(bucket: number): string {
  const text = (10 ** (exponentMin + bucket / bucketsOfDecade)).toExponential(3);
  return text.replace(/e([+-])(\d)$/, "e$10$2");
}
