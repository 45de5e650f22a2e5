import { doubled } from "./columns.ts";
import { crcBytes, crcStart } from "./crc.ts";
import { TreeDigest } from "./tree-digest.ts";
import { headFrom } from "./znode-digest.ts";
import { none } from "./znode-state.ts";
import type { ZnodeParts } from "./znode-values.ts";

/**
 * The digests of all znodes, in the two parts that `znode-digest` tells of, and their sum. Beside them the CRC register
 * after each znode's path: a child's goes on from it, and no path has to be put together.
 */
export class DigestSlab {
  readonly sum = new TreeDigest();
  /** Head, tail and register of each. */
  #rows = new Int32Array(1024 * rowLength);

  get bytesReserved(): number {
    return this.#rows.length * 4;
  }

  head(id: number): number {
    return this.#rows[id * rowLength]!;
  }

  tail(id: number): number {
    return this.#rows[id * rowLength + 1]!;
  }

  /** The head of a znode that has this data, part of a buffer. */
  headOf(id: number, data: Uint8Array, from: number, end: number): number {
    return headFrom(crcBytes(this.#register(id), data, from, end));
  }

  /** Makes room for a znode of this name, which no digest counts yet. The root's path counts as an empty one. */
  add(id: number, parent: number, { name, nameFrom, nameEnd }: ZnodeParts): void {
    const above = parent === none ? crcStart : crcBytes(this.#register(parent), slash);
    const register = crcBytes(above, name, nameFrom, nameEnd);
    while ((id + 1) * rowLength > this.#rows.length) this.#rows = doubled(this.#rows);
    const at = id * rowLength;
    this.#rows[at] = 0;
    this.#rows[at + 1] = 0;
    this.#rows[at + 2] = register;
  }

  count(id: number, head: number, tail: number): void {
    const at = id * rowLength;
    this.#rows[at] = head;
    this.#rows[at + 1] = tail;
    this.sum.add((head ^ tail) >>> 0);
  }

  uncount(id: number): void {
    this.sum.add(-((this.head(id) ^ this.tail(id)) >>> 0));
  }

  headSet(id: number, head: number): void {
    const at = id * rowLength;
    const tail = this.#rows[at + 1]!;
    this.sum.add(((head ^ tail) >>> 0) - ((this.#rows[at]! ^ tail) >>> 0));
    this.#rows[at] = head;
  }

  /** `moved` is by how much the tail differs now. */
  tailMove(id: number, moved: number): void {
    const at = id * rowLength;
    const head = this.#rows[at]!;
    const before = this.#rows[at + 1]!;
    this.#rows[at + 1] = before ^ moved;
    this.sum.add(((head ^ before ^ moved) >>> 0) - ((head ^ before) >>> 0));
  }

  #register(id: number): number {
    return this.#rows[id * rowLength + 2]!;
  }
}

const rowLength = 3;
const slash = Buffer.from("/");
