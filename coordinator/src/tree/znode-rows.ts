import { rowChunkNodes } from "./limits.ts";

/** Where a znode's numbers lie in its row. */
export const rowField = {
  parent: 0,
  first: 1,
  next: 2,
  prev: 3,
  acl: 4,
  creates: 5,
  ref: 6,
  /** The length of its name, and flags. */
  name: 7,
  hash: 8,
  /** The next znode of the same bucket. */
  chain: 9,
} as const;

const rowLength = 10;
const shift = Math.log2(rowChunkNodes);
const mask = rowChunkNodes - 1;

/** Ten ints a znode, side by side: whoever looks at one mostly looks at others. */
export class ZnodeRows {
  readonly #chunks: Int32Array[] = [];

  get bytesReserved(): number {
    return this.#chunks.length * rowChunkNodes * rowLength * 4;
  }

  /** Makes room for this znode. */
  reach(id: number): void {
    while (id >>> shift >= this.#chunks.length) {
      this.#chunks.push(new Int32Array(rowChunkNodes * rowLength));
    }
  }

  get(id: number, field: number): number {
    return this.#chunks[id >>> shift]![(id & mask) * rowLength + field]!;
  }

  set(id: number, field: number, value: number): void {
    this.#chunks[id >>> shift]![(id & mask) * rowLength + field] = value;
  }
}
