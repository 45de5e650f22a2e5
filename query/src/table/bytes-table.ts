import type { Values } from "../../../kit/src/block.ts";

/** Distinct byte strings as plain data; number i is `bytes[offsets[i] … offsets[i + 1]]`. */
export interface BytesTableData {
  readonly bytes: Uint8Array;
  readonly offsets: Uint32Array;
}

/**
 * Distinct byte strings, numbered from 0 in order of first appearance. Open addressing over typed
 * arrays: no object and no string an entry.
 */
export class BytesTable {
  #bytes = Buffer.allocUnsafeSlow(1024);
  #offsets = new Uint32Array(65);
  #hashes = new Uint32Array(64);
  #slots = new Int32Array(128).fill(-1);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get byteSize(): number {
    return (
      this.#bytes.length + 4 * (this.#offsets.length + this.#hashes.length + this.#slots.length)
    );
  }

  /** The number of the byte string `bytes[from … to]`, a new one if it was not there. */
  intern(bytes: Uint8Array, from: number, to: number): number {
    const hash = hashBytes(bytes, from, to);
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    for (;;) {
      const id = this.#slots[slot] as number;
      if (id < 0) break;
      if (this.#hashes[id] === hash && this.#equals(id, bytes, from, to)) return id;
      slot = (slot + 1) & mask;
    }
    const id = this.#append(bytes, from, to, hash);
    this.#slots[slot] = id;
    if (this.#size * 2 > this.#slots.length) this.#rehash();
    return id;
  }

  internText(text: string): number {
    const bytes = Buffer.from(text);
    return this.intern(bytes, 0, bytes.length);
  }

  text(id: number): string {
    return this.#bytes.toString(
      "utf8",
      this.#offsets[id] as number,
      this.#offsets[id + 1] as number,
    );
  }

  /** All of them, as views that the next `intern` may leave behind. */
  values(): Values {
    const offsets = this.#offsets.subarray(0, this.#size + 1);
    return { bytes: this.#bytes.subarray(0, offsets[this.#size]) as Buffer, offsets };
  }

  /** A copy that may be posted. */
  export(): BytesTableData {
    const offsets = this.#offsets.slice(0, this.#size + 1);
    return { bytes: new Uint8Array(this.#bytes.subarray(0, offsets[this.#size])), offsets };
  }

  /** Takes all of another's strings in; element i is the number here of its number i. */
  merge(other: BytesTableData): Uint32Array {
    const count = other.offsets.length - 1;
    const ids = new Uint32Array(count);
    for (let i = 0; i < count; i++) {
      const from = other.offsets[i] as number;
      ids[i] = this.intern(other.bytes, from, other.offsets[i + 1] as number);
    }
    return ids;
  }

  #equals(id: number, bytes: Uint8Array, from: number, to: number): boolean {
    const start = this.#offsets[id] as number;
    const length = to - from;
    if ((this.#offsets[id + 1] as number) - start !== length) return false;
    const own = this.#bytes;
    for (let i = 0; i < length; i++) if (own[start + i] !== bytes[from + i]) return false;
    return true;
  }

  #append(bytes: Uint8Array, from: number, to: number, hash: number): number {
    const id = this.#size++;
    const start = this.#offsets[id] as number;
    const end = start + to - from;
    if (end > this.#bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(end, this.#bytes.length * 2));
      grown.set(this.#bytes.subarray(0, start));
      this.#bytes = grown;
    }
    if (id === this.#hashes.length) {
      this.#hashes = grownU32(this.#hashes, id * 2);
      this.#offsets = grownU32(this.#offsets, id * 2 + 1);
    }
    const own = this.#bytes;
    for (let i = from, o = start; i < to; i++, o++) own[o] = bytes[i] as number;
    this.#offsets[id + 1] = end;
    this.#hashes[id] = hash;
    return id;
  }

  #rehash(): void {
    const slots = new Int32Array(this.#slots.length * 2).fill(-1);
    const mask = slots.length - 1;
    for (let id = 0; id < this.#size; id++) {
      let slot = (this.#hashes[id] as number) & mask;
      while ((slots[slot] as number) >= 0) slot = (slot + 1) & mask;
      slots[slot] = id;
    }
    this.#slots = slots;
  }
}

function grownU32(from: Uint32Array, length: number): Uint32Array<ArrayBuffer> {
  const grown = new Uint32Array(length);
  grown.set(from);
  return grown;
}

/** FNV-1a with a finish that spreads the high bits into the low ones, which address the slots. */
export function hashBytes(bytes: Uint8Array, from: number, to: number): number {
  let hash = 0x811c9dc5;
  for (let i = from; i < to; i++) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193);
  return mixed(hash ^ (to - from));
}

/** A permutation of 32 bits in which every bit of the result depends on every bit given. */
export function mixed(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
