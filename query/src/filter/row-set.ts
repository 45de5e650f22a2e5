import { assert } from "../../../kit/src/assert.ts";
import type { Codes } from "../../../kit/src/block.ts";

/** A set of the rows of one block: a bit a row. */
export class RowSet {
  readonly rowCount: number;
  readonly #words: Uint32Array;

  /** All rows. */
  constructor(rowCount: number) {
    this.rowCount = rowCount;
    this.#words = new Uint32Array((rowCount + 31) >>> 5);
    this.fill();
  }

  /** No row yet. */
  static empty(rowCount: number): RowSet {
    const set = new RowSet(rowCount);
    set.clear();
    return set;
  }

  get isEmpty(): boolean {
    const words = this.#words;
    for (let w = 0; w < words.length; w++) if (words[w] !== 0) return false;
    return true;
  }

  /** How many rows are in the set; counted each time. */
  get count(): number {
    const words = this.#words;
    let count = 0;
    for (let w = 0; w < words.length; w++) count += bitCount(words[w] as number);
    return count;
  }

  has(row: number): boolean {
    return (((this.#words[row >>> 5] as number) >>> (row & 31)) & 1) === 1;
  }

  add(row: number): void {
    const w = row >>> 5;
    this.#words[w] = (this.#words[w] as number) | (1 << (row & 31));
  }

  remove(row: number): void {
    const w = row >>> 5;
    this.#words[w] = (this.#words[w] as number) & ~(1 << (row & 31));
  }

  /** The first row from `row` on, −1 when there is none: `for (let r = set.next(0); r >= 0; r = set.next(r + 1))`. */
  next(row: number): number {
    const words = this.#words;
    let w = row >>> 5;
    if (w >= words.length) return -1;
    let word = (words[w] as number) & (-1 << (row & 31));
    while (word === 0) {
      if (++w >= words.length) return -1;
      word = words[w] as number;
    }
    return (w << 5) + 31 - Math.clz32(word & -word);
  }

  /** The rows in ascending order. */
  rows(): Uint32Array {
    const rows = new Uint32Array(this.count);
    const words = this.#words;
    let at = 0;
    for (let w = 0; w < words.length; w++) {
      let word = words[w] as number;
      while (word !== 0) {
        rows[at++] = (w << 5) + 31 - Math.clz32(word & -word);
        word &= word - 1;
      }
    }
    return rows;
  }

  /** Those of the given rows that are in the set, in their order. */
  among(rows: Uint32Array): Uint32Array {
    const found = new Uint32Array(rows.length);
    const words = this.#words;
    let count = 0;
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i] as number;
      found[count] = row;
      count += ((words[row >>> 5] as number) >>> (row & 31)) & 1;
    }
    return found.subarray(0, count);
  }

  fill(): void {
    this.#words.fill(0xffffffff);
    const over = this.rowCount & 31;
    // Bits beyond the last row stay zero: counts and `next` rely on it.
    if (over !== 0) this.#words[this.#words.length - 1] = 2 ** over - 1;
  }

  clear(): void {
    this.#words.fill(0);
  }

  clone(): RowSet {
    const copy = new RowSet(this.rowCount);
    copy.#words.set(this.#words);
    return copy;
  }

  /** Becomes the other's rows. */
  assign(other: RowSet): void {
    assert(other.rowCount === this.rowCount, "sets of rows are of one block");
    this.#words.set(other.#words);
  }

  and(other: RowSet): void {
    assert(other.rowCount === this.rowCount, "sets of rows are of one block");
    const [own, theirs] = [this.#words, other.#words];
    for (let w = 0; w < own.length; w++) own[w] = (own[w] as number) & (theirs[w] as number);
  }

  or(other: RowSet): void {
    assert(other.rowCount === this.rowCount, "sets of rows are of one block");
    const [own, theirs] = [this.#words, other.#words];
    for (let w = 0; w < own.length; w++) own[w] = (own[w] as number) | (theirs[w] as number);
  }

  /** Removes the other's rows. */
  subtract(other: RowSet): void {
    assert(other.rowCount === this.rowCount, "sets of rows are of one block");
    const [own, theirs] = [this.#words, other.#words];
    for (let w = 0; w < own.length; w++) own[w] = (own[w] as number) & ~(theirs[w] as number);
  }

  /** Keeps the rows whose code's verdict is 1. */
  keepCodes(codes: Codes, verdicts: Uint8Array): void {
    // A loop each: one over arrays of several widths takes several times as long.
    if (codes instanceof Uint8Array) keepCodes8(this.#words, this.rowCount, codes, verdicts);
    else if (codes instanceof Uint16Array) keepCodes16(this.#words, this.rowCount, codes, verdicts);
    else keepCodes32(this.#words, this.rowCount, codes, verdicts);
  }
}

function keepCodes8(words: Uint32Array, rowCount: number, codes: Uint8Array, verdicts: Uint8Array) {
  for (let w = 0; w < words.length; w++) {
    const word = words[w] as number;
    if (word === 0) continue;
    const base = w << 5;
    const end = Math.min(32, rowCount - base);
    let kept = 0;
    for (let i = 0; i < end; i++) kept |= (verdicts[codes[base + i] as number] as number) << i;
    words[w] = word & kept;
  }
}

function keepCodes16(
  words: Uint32Array,
  rowCount: number,
  codes: Uint16Array,
  verdicts: Uint8Array,
) {
  for (let w = 0; w < words.length; w++) {
    const word = words[w] as number;
    if (word === 0) continue;
    const base = w << 5;
    const end = Math.min(32, rowCount - base);
    let kept = 0;
    for (let i = 0; i < end; i++) kept |= (verdicts[codes[base + i] as number] as number) << i;
    words[w] = word & kept;
  }
}

function keepCodes32(
  words: Uint32Array,
  rowCount: number,
  codes: Uint32Array,
  verdicts: Uint8Array,
) {
  for (let w = 0; w < words.length; w++) {
    const word = words[w] as number;
    if (word === 0) continue;
    const base = w << 5;
    const end = Math.min(32, rowCount - base);
    let kept = 0;
    for (let i = 0; i < end; i++) kept |= (verdicts[codes[base + i] as number] as number) << i;
    words[w] = word & kept;
  }
}

function bitCount(word: number): number {
  let bits = word - ((word >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
