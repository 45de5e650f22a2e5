/** Numbers that grow with the groups; a new one is `initial`. */
export class GrowingF64 {
  readonly #initial: number;
  #items: Float64Array<ArrayBuffer>;
  #length = 0;

  constructor(initial = 0) {
    this.#initial = initial;
    this.#items = new Float64Array(16).fill(initial);
  }

  get length(): number {
    return this.#length;
  }

  get byteSize(): number {
    return this.#items.byteLength;
  }

  /** The numbers, at least `length` of them; good until the next call. */
  upTo(length: number): Float64Array {
    if (length > this.#length) this.#length = length;
    if (length > this.#items.length) {
      const grown = new Float64Array(Math.max(length, this.#items.length * 2));
      grown.set(this.#items);
      grown.fill(this.#initial, this.#items.length);
      this.#items = grown;
    }
    return this.#items;
  }

  at(index: number): number {
    return index < this.#length ? (this.#items[index] as number) : this.#initial;
  }

  /** A copy that may be posted. */
  export(): Float64Array {
    return this.#items.slice(0, this.#length);
  }
}
