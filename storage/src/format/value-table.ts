import type { Values } from "../../../kit/src/block.ts";
import { copyBytes, hashOf, isSame, viewOf } from "./words.ts";

/** Numbers distinct values by their bytes, in order of first appearance. */
export class ValueTable {
  // Small at first: most columns have few values, and records may have very many columns.
  /** Code and hash of a value, side by side: most lookups go to memory that is far, and once is enough. */
  #slots = new Int32Array(128).fill(-1);
  #hashes = new Int32Array(32);
  #offsets = new Uint32Array(33);
  #bytes = Buffer.allocUnsafeSlow(256);
  #view = viewOf(this.#bytes);
  #size = 0;
  /** Where the last value came from: the next ones mostly do too. */
  #from: Buffer = this.#bytes;
  #fromView = this.#view;

  get size(): number {
    return this.#size;
  }

  /** The code of the value `bytes[start … end)`, a new one if it is new. */
  codeOf(bytes: Buffer, start: number, end: number): number {
    if (bytes !== this.#from) {
      this.#from = bytes;
      this.#fromView = viewOf(bytes);
    }
    const view = this.#fromView;
    const hash = hashOf(view, start, end);
    const slots = this.#slots;
    const mask = slots.length - 2;
    let slot = (hash << 1) & mask;
    while (true) {
      const code = slots[slot]!;
      if (code < 0) return this.#add(bytes, start, end, hash, slot);
      if (slots[slot + 1] === hash && this.#equals(code, view, start, end)) return code;
      slot = (slot + 2) & mask;
    }
  }

  /** Forgets all values; the memory is kept. */
  clear(): void {
    if (this.#size * 16 > this.#slots.length) this.#slots.fill(-1);
    else for (let code = 0; code < this.#size; code++) this.#free(code);
    this.#size = 0;
    this.#from = this.#bytes;
    this.#fromView = this.#view;
  }

  /** The distinct values; the value of code c is value c. */
  values(): Values {
    const length = this.#offsets[this.#size]!;
    return {
      bytes: Buffer.from(this.#bytes.subarray(0, length)),
      offsets: this.#offsets.slice(0, this.#size + 1),
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
    const at = this.#offsets[code]!;
    const length = end - start;
    return this.#offsets[code + 1]! - at === length && isSame(view, start, length, this.#view, at);
  }

  #add(bytes: Buffer, start: number, end: number, hash: number, slot: number): number {
    const code = this.#size++;
    const at = this.#offsets[code]!;
    this.#reserve(at + end - start);
    copyBytes(this.#fromView, bytes, start, end, this.#view, this.#bytes, at);
    this.#offsets[code + 1] = at + end - start;
    this.#hashes[code] = hash;
    this.#slots[slot] = code;
    this.#slots[slot + 1] = hash;
    if (this.#size * 4 > this.#slots.length) this.#rehash();
    return code;
  }

  #reserve(bytesNeeded: number): void {
    if (this.#size > this.#hashes.length) {
      const hashes = new Int32Array(this.#hashes.length * 2);
      hashes.set(this.#hashes);
      this.#hashes = hashes;
      const offsets = new Uint32Array(hashes.length + 1);
      offsets.set(this.#offsets);
      this.#offsets = offsets;
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
