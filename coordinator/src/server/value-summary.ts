/** What is told of many values: each a whole number of milliseconds. */
export interface SummaryView {
  readonly count: number;
  readonly sum: number;
  readonly max: number;
  /** Undefined where it is not kept. */
  readonly min: number | undefined;
  /** The value that this share of the newer ones does not exceed; undefined where none are kept. */
  readonly quantile: ((share: number) => number) | undefined;
}

/** Count, sum, least and greatest of what was added; all 0 as long as nothing was. */
export class ValueSummary implements SummaryView {
  count = 0;
  sum = 0;
  min = 0;
  max = 0;
  readonly quantile: ((share: number) => number) | undefined = undefined;

  add(value: number): void {
    const whole = Math.max(0, Math.round(value));
    this.min = this.count === 0 ? whole : Math.min(this.min, whole);
    this.max = Math.max(this.max, whole);
    this.sum += whole;
    this.count++;
  }
}

/** The same with quantiles of the last five to ten minutes. */
export class QuantileSummary implements SummaryView {
  readonly #values = new ValueSummary();
  #now = new Bins();
  #before = new Bins();
  #turnMs = 0;

  get count(): number {
    return this.#values.count;
  }

  get sum(): number {
    return this.#values.sum;
  }

  get min(): number {
    return this.#values.min;
  }

  get max(): number {
    return this.#values.max;
  }

  get quantile(): (share: number) => number {
    return (share) => quantileOf([this.#before, this.#now], share);
  }

  /** `nowMs` is monotonic. */
  add(value: number, nowMs: number): void {
    if (nowMs - this.#turnMs > generationMs) this.#turn(nowMs);
    this.#values.add(value);
    this.#now.add(value);
  }

  #turn(nowMs: number): void {
    const isLate = nowMs - this.#turnMs > 2 * generationMs;
    const spare = this.#before;
    this.#before = this.#now;
    this.#now = spare;
    this.#now.clear();
    if (isLate) this.#before.clear();
    this.#turnMs = nowMs;
  }
}

const generationMs = 300_000;

/** Up to here each value has a bin of its own; above it 32 bins an octave, so a value is told to 3 %. */
const exactBelow = 64;
const exactBits = 6;
const binBits = 5;
const binCount = exactBelow + (31 - exactBits) * 2 ** binBits;

class Bins {
  readonly counts = new Uint32Array(binCount);

  add(value: number): void {
    this.counts[binOf(value)]!++;
  }

  clear(): void {
    this.counts.fill(0);
  }
}

function binOf(value: number): number {
  const whole = Math.min(2 ** 31 - 1, Math.max(0, Math.round(value)));
  if (whole < exactBelow) return whole;
  const octave = 31 - Math.clz32(whole);
  const within = (whole >>> (octave - binBits)) - 2 ** binBits;
  return exactBelow + (octave - exactBits) * 2 ** binBits + within;
}

/** The least value of a bin. */
function binStart(bin: number): number {
  if (bin < exactBelow) return bin;
  const octave = Math.floor((bin - exactBelow) / 2 ** binBits) + exactBits;
  const within = (bin - exactBelow) % 2 ** binBits;
  return (2 ** binBits + within) * 2 ** (octave - binBits);
}

function quantileOf(generations: readonly Bins[], share: number): number {
  const at = (bin: number): number =>
    generations.reduce((sum, { counts }) => sum + counts[bin]!, 0);
  let all = 0;
  for (let bin = 0; bin < binCount; bin++) all += at(bin);
  let left = Math.ceil(all * share);
  for (let bin = 0; bin < binCount; bin++) {
    left -= at(bin);
    if (left <= 0) return all === 0 ? 0 : binStart(bin);
  }
  return 0;
}
