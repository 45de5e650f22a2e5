import { rowField, type ZnodeRows } from "./znode-rows.ts";

/** FNV-1a's. */
const prime = 0x01000193;

/**
 * One step of the hash of a path: that of its bytes in turn (Fowler, Noll and Vo's FNV-1a), so that a child's goes on from its
 * parent's. But the last byte is added: numbered siblings, which come together, lie side by side in the index.
 */
export function hashStep(hash: number, byte: number): number {
  return Math.imul(hash ^ byte, prime);
}

/** The hash after the bytes of a name, or of a path: at least one. */
export function hashBytes(hash: number, bytes: Uint8Array, from: number, end: number): number {
  let h = hash;
  const last = end - 1;
  for (let at = from; at < last; at++) h = Math.imul(h ^ bytes[at]!, prime);
  return (h + bytes[last]!) | 0;
}

/**
 * Which znodes have a hash, in chains that hang in the znodes' rows. Whether one has the path that is sought is for the
 * caller to see. The hash of the root's path is the seed; nobody who does not know it can choose paths of one hash.
 */
export class PathIndex {
  readonly #rows: ZnodeRows;
  /** The first of each chain, one higher, so that 0 is none. */
  #buckets = new Int32Array(1024);
  #size = 0;

  constructor(rows: ZnodeRows) {
    this.#rows = rows;
  }

  get size(): number {
    return this.#size;
  }

  get bytesReserved(): number {
    return this.#buckets.length * 4;
  }

  /** The first znode of a hash's chain; -1 for none. Others of the chain may have other hashes. */
  first(hash: number): number {
    return this.#buckets[this.#bucketOf(hash)]! - 1;
  }

  /** The next of its chain; -1 for none. */
  next(id: number): number {
    return this.#rows.get(id, rowField.chain) - 1;
  }

  /** Makes room at once for about so many. */
  expect(count: number): void {
    let { length } = this.#buckets;
    while (length < count * 2) length *= 2;
    if (length > this.#buckets.length) this.#resize(length);
  }

  add(id: number, hash: number): void {
    if (this.#size * 2 >= this.#buckets.length) this.#resize(this.#buckets.length * 2);
    this.#size++;
    this.#rows.set(id, rowField.hash, hash);
    this.#put(id, hash);
  }

  remove(id: number): void {
    this.#size--;
    const bucket = this.#bucketOf(this.#rows.get(id, rowField.hash));
    const next = this.#rows.get(id, rowField.chain);
    let at = this.#buckets[bucket]! - 1;
    if (at === id) {
      this.#buckets[bucket] = next;
      return;
    }
    for (let after = this.next(at); after !== id; after = this.next(at)) at = after;
    this.#rows.set(at, rowField.chain, next);
  }

  #put(id: number, hash: number): void {
    const bucket = this.#bucketOf(hash);
    this.#rows.set(id, rowField.chain, this.#buckets[bucket]!);
    this.#buckets[bucket] = id + 1;
  }

  /** The low bits: every byte is in them, and the last one in nothing else. */
  #bucketOf(hash: number): number {
    return hash & (this.#buckets.length - 1);
  }

  #resize(length: number): void {
    const before = this.#buckets;
    this.#buckets = new Int32Array(length);
    for (const head of before) {
      for (let id = head - 1, next = -1; id !== -1; id = next) {
        next = this.next(id);
        this.#put(id, this.#rows.get(id, rowField.hash));
      }
    }
  }
}
