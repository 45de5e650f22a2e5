import { doubled } from "./columns.ts";
import { TreeDigest } from "./tree-digest.ts";

/** The digests of all znodes, in the two parts that `znode-digest` tells of, and their sum. */
export class DigestSlab {
  readonly sum = new TreeDigest();
  #heads = new Int32Array(1024);
  #tails = new Int32Array(1024);

  get bytesReserved(): number {
    return this.#heads.length * 8;
  }

  head(id: number): number {
    return this.#heads[id]!;
  }

  tail(id: number): number {
    return this.#tails[id]!;
  }

  insert(id: number, head: number, tail: number): void {
    this.#put(id, head, tail);
    this.sum.add((head ^ tail) >>> 0);
  }

  /** A znode that no digest counts. */
  insertUncounted(id: number): void {
    this.#put(id, 0, 0);
  }

  remove(id: number): void {
    this.sum.add(-((this.#heads[id]! ^ this.#tails[id]!) >>> 0));
  }

  headSet(id: number, head: number): void {
    const tail = this.#tails[id]!;
    this.sum.add(((head ^ tail) >>> 0) - ((this.#heads[id]! ^ tail) >>> 0));
    this.#heads[id] = head;
  }

  /** `moved` is by how much the tail differs now. */
  tailMove(id: number, moved: number): void {
    const before = this.#tails[id]!;
    const head = this.#heads[id]!;
    this.#tails[id] = before ^ moved;
    this.sum.add(((head ^ before ^ moved) >>> 0) - ((head ^ before) >>> 0));
  }

  #put(id: number, head: number, tail: number): void {
    if (id >= this.#heads.length) {
      this.#heads = doubled(this.#heads);
      this.#tails = doubled(this.#tails);
    }
    this.#heads[id] = head;
    this.#tails[id] = tail;
  }
}
