import type { Values } from "../../../kit/src/block.ts";
import type { Ranges } from "./value-list.ts";
import { copyBytes, hashOf, isSame, viewOf } from "./words.ts";

/** Numbers distinct values by their bytes, in order of first appearance. */
export class ValueTable {
  // Small at first: most columns have few values, and records may have very many columns.
  /** Code and hash of a value, side by side: most lookups go to memory that is far, and once is enough. */
  #slots = new Int32Array(128).fill(-1);
  #hashes = new Int32Array(32);
  #starts = new Uint32Array(32);
  #ends = new Uint32Array(32);
  #bytes = Buffer.allocUnsafeSlow(256);
  #view = viewOf(this.#bytes);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The code of the value `bytes[start … end)`, a new one if it is new. `view` is over the memory of the bytes. */
  codeOf(bytes: Uint8Array, view: DataView, start: number, end: number): number {
    const hash = hashOf(view, start, end);
    const slots = this.#slots;
    const mask = slots.length - 2;
    let slot = (hash << 1) & mask;
    while (true) {
      const code = slots[slot]!;
      if (code < 0) return this.#add(bytes, view, start, end, hash, slot);
      if (slots[slot + 1] === hash && this.#equals(code, view, start, end)) return code;
      slot = (slot + 2) & mask;
    }
  }

  /** Forgets all values; the memory is kept. */
  clear(): void {
    if (this.#size * 16 > this.#slots.length) this.#slots.fill(-1);
    else for (let code = 0; code < this.#size; code++) this.#free(code);
    this.#size = 0;
  }

  /** The distinct values; the value of code c is value c. */
  values(): Values {
    const length = this.#length;
    const offsets = new Uint32Array(this.#size + 1);
    offsets.set(this.#starts.subarray(0, this.#size));
    offsets[this.#size] = length;
    return { bytes: Buffer.from(this.#bytes.subarray(0, length)), offsets };
  }

  /** As `values`, where they lie: until the next is added. */
  ranges(): Ranges {
    return {
      bytes: this.#bytes,
      view: this.#view,
      starts: this.#starts,
      ends: this.#ends,
      count: this.#size,
    };
  }

  /** Empties the slot of a value; those before it may be empty already. */
  #free(code: number): void {
    const mask = this.#slots.length - 2;
    let slot = (this.#hashes[code]! << 1) & mask;
    while (this.#slots[slot] !== code) slot = (slot + 2) & mask;
    this.#slots[slot] = -1;
  }

  #equals(code: number, view: DataView, start: number, end: number): boolean {
    const at = this.#starts[code]!;
    const length = end - start;
    return this.#ends[code]! - at === length && isSame(view, start, length, this.#view, at);
  }

  #add(
    bytes: Uint8Array,
    view: DataView,
    start: number,
    end: number,
    hash: number,
    slot: number,
  ): number {
    const at = this.#length;
    const code = this.#size++;
    this.#reserve(at + end - start);
    copyBytes(view, bytes, start, end, this.#view, this.#bytes, at);
    this.#starts[code] = at;
    this.#ends[code] = at + end - start;
    this.#hashes[code] = hash;
    this.#slots[slot] = code;
    this.#slots[slot + 1] = hash;
    if (this.#size * 4 > this.#slots.length) this.#rehash();
    return code;
  }

  /** Bytes of the values. */
  get #length(): number {
    return this.#size === 0 ? 0 : this.#ends[this.#size - 1]!;
  }

  #reserve(bytesNeeded: number): void {
    if (this.#size > this.#hashes.length) {
      const hashes = new Int32Array(this.#hashes.length * 2);
      hashes.set(this.#hashes);
      this.#hashes = hashes;
      this.#starts = doubled(this.#starts);
      this.#ends = doubled(this.#ends);
    }
    if (bytesNeeded > this.#bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(bytesNeeded, this.#bytes.length * 2));
      grown.set(this.#bytes);
      this.#bytes = grown;
      this.#view = viewOf(grown);
    }
  }

  #rehash(): void {
    const slots = new Int32Array(this.#slots.length * 2).fill(-1);
    const mask = slots.length - 2;
    for (let code = 0; code < this.#size; code++) {
      const hash = this.#hashes[code]!;
      let slot = (hash << 1) & mask;
      while (slots[slot]! >= 0) slot = (slot + 2) & mask;
      slots[slot] = code;
      slots[slot + 1] = hash;
    }
    this.#slots = slots;
  }
}

function doubled(array: Uint32Array): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(array.length * 2);
  larger.set(array);
  return larger;
}
