import { mixed } from "./bytes-table.ts";

/**
 * Distinct tuples of `width` u32s, numbered from 0 in order of first appearance: open addressing
 * over typed arrays. A tuple of width 0 is number 0.
 */
export class TupleTable {
  readonly width: number;
  #tuples: Uint32Array;
  #slots = new Int32Array(128).fill(-1);
  #size = 0;

  constructor(width: number) {
    this.width = width;
    this.#tuples = new Uint32Array(64 * width);
  }

  get size(): number {
    return this.#size;
  }

  get byteSize(): number {
    return 4 * (this.#tuples.length + this.#slots.length);
  }

  /** Part `at` of tuple `id`. */
  part(id: number, at: number): number {
    return this.#tuples[id * this.width + at] as number;
  }

  /** The number of `tuple[0 … width]`, a new one if it was not there. */
  intern(tuple: Uint32Array): number {
    const mask = this.#slots.length - 1;
    let slot = hashTuple(tuple, 0, this.width) & mask;
    for (;;) {
      const id = this.#slots[slot] as number;
      if (id < 0) break;
      if (this.#equals(id, tuple)) return id;
      slot = (slot + 1) & mask;
    }
    const id = this.#size++;
    this.#slots[slot] = id;
    if ((id + 1) * this.width > this.#tuples.length) {
      const grown = new Uint32Array(this.#tuples.length * 2);
      grown.set(this.#tuples);
      this.#tuples = grown;
    }
    for (let i = 0; i < this.width; i++) this.#tuples[id * this.width + i] = tuple[i] as number;
    if (this.#size * 2 > this.#slots.length) this.#rehash();
    return id;
  }

  /** A copy of all tuples, one after the other; it may be posted. */
  export(): Uint32Array {
    return this.#tuples.slice(0, this.#size * this.width);
  }

  #equals(id: number, tuple: Uint32Array): boolean {
    const start = id * this.width;
    for (let i = 0; i < this.width; i++) {
      if (this.#tuples[start + i] !== tuple[i]) return false;
    }
    return true;
  }

  #rehash(): void {
    const slots = new Int32Array(this.#slots.length * 2).fill(-1);
    const mask = slots.length - 1;
    for (let id = 0; id < this.#size; id++) {
      let slot = hashTuple(this.#tuples, id * this.width, this.width) & mask;
      while ((slots[slot] as number) >= 0) slot = (slot + 1) & mask;
      slots[slot] = id;
    }
    this.#slots = slots;
  }
}

function hashTuple(tuple: Uint32Array, from: number, width: number): number {
  let hash = 0;
  for (let i = 0; i < width; i++) {
    hash = mixed(Math.imul(hash, 0x9e3779b1) ^ (tuple[from + i] as number));
  }
  return hash;
}
