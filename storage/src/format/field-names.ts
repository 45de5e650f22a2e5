import { assert } from "../../../kit/src/assert.ts";
import { nameBytesMax, namesMax } from "./limits.ts";

/**
 * Numbers texts by their bytes, so that the ingest path makes no string for a name it has seen before.
 * A worker has one for field names and may have one for the texts of streams. Bounded: when `isFull`,
 * the caller encodes its open batches, calls `clear` and goes on; all earlier ids are void then.
 */
export class FieldNames {
  #slots = new Int32Array(1_024).fill(-1);
  #hashes = new Int32Array(512);
  #starts = new Uint32Array(513);
  #bytes = Buffer.allocUnsafeSlow(16_384);
  #names: string[] = [];
  #generation = 0;

  /** How many times `clear` was called: ids of different generations never meet. */
  get generation(): number {
    return this.#generation;
  }

  get count(): number {
    return this.#names.length;
  }

  /** True when the next new name would be refused. */
  get isFull(): boolean {
    return this.#names.length >= namesMax || this.#bytesUsed >= nameBytesMax;
  }

  /** The id of the name `bytes[start … end)`, interned now if new; -1 when it is new and the table full. */
  idOf(bytes: Uint8Array, start: number, end: number): number {
    let hash = 0x811c9dc5 | 0;
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193);
    hash ^= hash >>> 15;
    const mask = this.#slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const id = this.#slots[slot] as number;
      if (id < 0) return this.#add(bytes, start, end, hash, slot);
      if (this.#hashes[id] === hash && this.#equals(id, bytes, start, end)) return id;
    }
  }

  /** The id of a name given as a string; see `idOf`. */
  idOfText(name: string): number {
    const bytes = Buffer.from(name, "utf8");
    return this.idOf(bytes, 0, bytes.length);
  }

  nameOf(id: number): string {
    const name = this.#names[id];
    assert(name !== undefined, "an id that no name was given");
    return name;
  }

  /** Forgets every name. Open batches must have been encoded before. */
  clear(): void {
    this.#slots = new Int32Array(1_024).fill(-1);
    this.#names = [];
    this.#generation++;
  }

  get #bytesUsed(): number {
    return this.#names.length === 0 ? 0 : (this.#starts[this.#names.length] as number);
  }

  #equals(id: number, bytes: Uint8Array, start: number, end: number): boolean {
    let at = this.#starts[id] as number;
    if ((this.#starts[id + 1] as number) - at !== end - start) return false;
    for (let i = start; i < end; i++) if (this.#bytes[at++] !== bytes[i]) return false;
    return true;
  }

  #add(bytes: Uint8Array, start: number, end: number, hash: number, slot: number): number {
    if (this.isFull) return -1;
    const id = this.#names.length;
    const at = this.#bytesUsed;
    const length = end - start;
    this.#reserve(id, at + length);
    this.#bytes.set(bytes.subarray(start, end), at);
    this.#starts[id] = at;
    this.#starts[id + 1] = at + length;
    this.#hashes[id] = hash;
    this.#names.push(this.#bytes.toString("utf8", at, at + length));
    this.#slots[slot] = id;
    if (this.#names.length * 2 > this.#slots.length) this.#rehash();
    return id;
  }

  #reserve(id: number, bytesNeeded: number): void {
    if (id >= this.#hashes.length) {
      const hashes = new Int32Array(this.#hashes.length * 2);
      hashes.set(this.#hashes);
      this.#hashes = hashes;
      const starts = new Uint32Array(hashes.length + 1);
      starts.set(this.#starts);
      this.#starts = starts;
    }
    if (bytesNeeded > this.#bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(bytesNeeded, this.#bytes.length * 2));
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
  }

  #rehash(): void {
    const slots = new Int32Array(this.#slots.length * 2).fill(-1);
    const mask = slots.length - 1;
    for (let id = 0; id < this.#names.length; id++) {
      let slot = (this.#hashes[id] as number) & mask;
      while ((slots[slot] as number) >= 0) slot = (slot + 1) & mask;
      slots[slot] = id;
    }
    this.#slots = slots;
  }
}
