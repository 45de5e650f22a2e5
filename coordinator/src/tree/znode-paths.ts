import { hashBytes, hashStep, PathIndex } from "./path-index.ts";
import { rowField, type ZnodeRows } from "./znode-rows.ts";
import { none, rootId } from "./znode-state.ts";
import type { ZnodeValues } from "./znode-values.ts";

/** Finds znodes by path, and puts the paths of znodes together: each has but its name. */
export class ZnodePaths {
  readonly #rows: ZnodeRows;
  readonly #values: ZnodeValues;
  readonly #index: PathIndex;
  readonly #hashSeed: number;
  #hasRoot = false;
  #parentLast = none;
  #parentLastPath = "";
  /** A path or a name on its way. */
  #scratch = Buffer.allocUnsafeSlow(1024);

  constructor(rows: ZnodeRows, values: ZnodeValues, hashSeed: number) {
    this.#rows = rows;
    this.#values = values;
    this.#index = new PathIndex(rows);
    this.#hashSeed = hashSeed;
  }

  get bytesReserved(): number {
    return this.#index.bytesReserved;
  }

  expect(count: number): void {
    this.#index.expect(count);
  }

  /** Takes up a znode whose name, parent and row are there. */
  add(id: number, parent: number, name: Uint8Array, from: number, end: number): void {
    if (parent === none) {
      this.#rows.set(id, rowField.hash, this.#hashSeed);
      this.#hasRoot = true;
    } else this.#index.add(id, this.#hashBelow(parent, name, from, end));
  }

  /** Forgets a znode whose name is still there. */
  remove(id: number): void {
    this.#index.remove(id);
    if (this.#parentLast === id) this.#parentLastPath = "";
  }

  find(path: string): number {
    const last = path.length - 1;
    let hash = this.#hashSeed;
    let units = 0;
    for (let at = 0; at < last; at++) {
      const unit = path.charCodeAt(at);
      units |= unit;
      hash = hashStep(hash, unit);
    }
    const unit = path.charCodeAt(last);
    units |= unit;
    hash = (hash + unit) | 0;
    if (units > 0x7f) {
      const bytes = Buffer.from(path);
      return this.findBytes(bytes, 0, bytes.length);
    }
    if (path === "/") return this.#hasRoot ? rootId : none;
    let id = this.#index.first(hash);
    while (id !== none && !(this.#isHash(id, hash) && this.#isText(id, path))) {
      id = this.#index.next(id);
    }
    return id;
  }

  /** The same by the path's bytes; those of a path without an end, as there is none before the slash of `/a`, are the root's. */
  findBytes(bytes: Uint8Array, from: number, end: number): number {
    if (from === end) return this.#hasRoot ? rootId : none;
    const hash = hashBytes(this.#hashSeed, bytes, from, end);
    let id = this.#index.first(hash);
    while (id !== none && !(this.#isHash(id, hash) && this.#isBytes(id, bytes, from, end))) {
      id = this.#index.next(id);
    }
    return id;
  }

  /** The parent of the znode with this path. Mostly it is that of the one before, which a look at the path tells. */
  findParent(path: string): number {
    const slash = path.lastIndexOf("/");
    if (slash <= 0) return this.#hasRoot ? rootId : none;
    const last = this.#parentLastPath;
    if (last.length === slash && path.startsWith(last)) return this.#parentLast;
    const above = path.slice(0, slash);
    const parent = this.find(above);
    if (parent !== none) {
      this.#parentLast = parent;
      this.#parentLastPath = above;
    }
    return parent;
  }

  /** The znode with this path, whose parent is known. */
  findBelow(parent: number, path: string): number {
    const end = this.#nameEncode(path);
    return this.findNamed(parent, this.#scratch, 0, end);
  }

  /** The child with this name. */
  findNamed(parent: number, name: Uint8Array, from: number, end: number): number {
    const length = end - from;
    const hash = this.#hashBelow(parent, name, from, end);
    let id = this.#index.first(hash);
    for (; id !== none; id = this.#index.next(id)) {
      if (!this.#isHash(id, hash) || this.#parent(id) !== parent) continue;
      const isLong = this.#values.nameLength(id) === length;
      if (isLong && this.#values.isBytes(id, name, from, length)) return id;
    }
    return none;
  }

  /** The bytes of a path's last part, until the next call here. */
  nameOf(path: string): Uint8Array {
    return this.#scratch.subarray(0, this.#nameEncode(path));
  }

  /** Bytes of a path. */
  length(id: number): number {
    if (id === rootId) return 1;
    let length = 0;
    for (let at = id; at !== rootId; at = this.#parent(at)) {
      length += 1 + this.#values.nameLength(at);
    }
    return length;
  }

  /** A path's bytes, until the next call here. */
  bytesOf(id: number): Buffer {
    const length = this.length(id);
    this.#scratchReach(length);
    const path = this.#scratch.subarray(0, length);
    path[0] = slash;
    let end = length;
    for (let at = id; at !== rootId; at = this.#parent(at)) {
      end -= this.#values.nameLength(at);
      this.#values.nameCopy(at, path, end);
      path[--end] = slash;
    }
    return path;
  }

  #isHash(id: number, hash: number): boolean {
    return this.#rows.get(id, rowField.hash) === hash;
  }

  /** Whether a path of ASCII is that of this znode, which is not the root. */
  #isText(id: number, path: string): boolean {
    let end = path.length;
    for (let at = id; at !== rootId; at = this.#parent(at)) {
      const length = this.#values.nameLength(at);
      const from = end - length;
      if (from < 1 || path.charCodeAt(from - 1) !== slash) return false;
      if (!this.#values.isText(at, path, from, length)) return false;
      end = from - 1;
    }
    return end === 0;
  }

  #isBytes(id: number, path: Uint8Array, start: number, stop: number): boolean {
    let end = stop;
    for (let at = id; at !== rootId; at = this.#parent(at)) {
      const length = this.#values.nameLength(at);
      const from = end - length;
      if (from < start + 1 || path[from - 1] !== slash) return false;
      if (!this.#values.isBytes(at, path, from, length)) return false;
      end = from - 1;
    }
    return end === start;
  }

  #hashBelow(parent: number, name: Uint8Array, from: number, end: number): number {
    let hash = this.#hashSeed;
    if (parent !== rootId) {
      // With more after it, its last byte is like all others.
      const last = this.#values.nameLast(parent);
      hash = hashStep(this.#rows.get(parent, rowField.hash) - last, last);
    }
    return hashBytes(hashStep(hash, slash), name, from, end);
  }

  #nameEncode(path: string): number {
    const from = path.lastIndexOf("/") + 1;
    this.#scratchReach((path.length - from) * 3);
    const scratch = this.#scratch;
    for (let at = from; at < path.length; at++) {
      const unit = path.charCodeAt(at);
      if (unit > 0x7f) return scratch.write(path.slice(from));
      scratch[at - from] = unit;
    }
    return path.length - from;
  }

  #scratchReach(bytes: number): void {
    if (bytes > this.#scratch.length) this.#scratch = Buffer.allocUnsafeSlow(bytes * 2);
  }

  #parent(id: number): number {
    return this.#rows.get(id, rowField.parent);
  }
}

const slash = 0x2f;
