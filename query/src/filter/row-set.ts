/** Rows of one block, as bits: what a filter has left. */
export class RowSet {
  readonly rowCount: number;
  readonly #words: Uint32Array;

  /** All rows. */
  constructor(rowCount: number) {
    this.rowCount = rowCount;
    this.#words = new Uint32Array((rowCount + 31) >>> 5).fill(0xffffffff);
    const rest = rowCount & 31;
    if (rest !== 0) this.#words[this.#words.length - 1] = 2 ** rest - 1;
  }

  get isEmpty(): boolean {
    for (const word of this.#words) if (word !== 0) return false;
    return true;
  }

  get count(): number {
    let count = 0;
    for (const word of this.#words) count += bitsOf(word);
    return count;
  }

  has(row: number): boolean {
    return (((this.#words[row >>> 5] as number) >>> (row & 31)) & 1) === 1;
  }

  remove(row: number): void {
    const at = row >>> 5;
    this.#words[at] = (this.#words[at] as number) & ~(1 << (row & 31));
  }

  clear(): void {
    this.#words.fill(0);
  }

  copy(): RowSet {
    const copy = new RowSet(this.rowCount);
    copy.#words.set(this.#words);
    return copy;
  }

  /** Takes away the rows of another set. */
  subtract(other: RowSet): void {
    for (let i = 0; i < this.#words.length; i++) {
      this.#words[i] = (this.#words[i] as number) & ~(other.#words[i] as number);
    }
  }

  /** Adds the rows of another set. */
  add(other: RowSet): void {
    for (let i = 0; i < this.#words.length; i++) {
      this.#words[i] = (this.#words[i] as number) | (other.#words[i] as number);
    }
  }

  /** Keeps the rows whose value, `codes[row]` or the row itself, is marked. */
  keepMarked(marked: Uint8Array, codes: ArrayLike<number> | undefined): void {
    for (let i = 0; i < this.#words.length; i++) {
      const before = this.#words[i] as number;
      if (before === 0) continue;
      const base = i << 5;
      const end = Math.min(32, this.rowCount - base);
      let after = 0;
      for (let bit = 0; bit < end; bit++) {
        const value = codes === undefined ? base + bit : (codes[base + bit] as number);
        after |= (marked[value] as number) << bit;
      }
      this.#words[i] = before & after;
    }
  }

  /** The rows, ascending. */
  rows(): Uint32Array {
    const rows = new Uint32Array(this.count);
    let at = 0;
    for (let i = 0; i < this.#words.length; i++) {
      for (let word = this.#words[i] as number; word !== 0; word &= word - 1) {
        rows[at++] = (i << 5) + (31 - Math.clz32(word & -word));
      }
    }
    return rows;
  }
}

/** Bits that are set in 32. (Hacker's Delight, 5-2.) */
function bitsOf(word: number): number {
  let n = word - ((word >>> 1) & 0x55555555);
  n = (n & 0x33333333) + ((n >>> 2) & 0x33333333);
  n = (n + (n >>> 4)) & 0x0f0f0f0f;
  return Math.imul(n, 0x01010101) >>> 24;
}
