import { DataSlab, refEmpty } from "./data-slab.ts";
import { rowField, type ZnodeRows } from "./znode-rows.ts";
import { none, rootId } from "./znode-state.ts";

/** From so many bytes on a call out of JavaScript costs less than a loop. */
const loopBytesMax = 160;

/** Flags below a name's length. */
export const nameFlag = {
  /** Its data is null, which is not the same as empty. */
  null: 1,
  /** No digest counts it. */
  uncounted: 2,
  /** No digest counts what is below it. */
  uncountedBelow: 4,
} as const;
const flagBits = 3;

/** A name, and data that is null when `dataFrom` is -1: parts of two buffers, or of one. */
export interface ZnodeParts {
  readonly name: Uint8Array;
  readonly nameFrom: number;
  readonly nameEnd: number;
  readonly data: Uint8Array;
  readonly dataFrom: number;
  readonly dataEnd: number;
  /** The numbers of `data`, where its znodes are many. */
  readonly view: DataView | undefined;
}

/** Name and data of every znode, side by side in one place of the slab: whoever finds a znode looks at both. */
export class ZnodeValues {
  readonly #rows: ZnodeRows;
  readonly #slab = new DataSlab();

  constructor(rows: ZnodeRows) {
    this.#rows = rows;
  }

  get bytesReserved(): number {
    return this.#slab.bytesReserved;
  }

  /** Of a znode that has none yet. */
  put(id: number, parts: ZnodeParts): void {
    const { nameFrom, nameEnd, dataFrom, dataEnd } = parts;
    const nameLength = nameEnd - nameFrom;
    const isNull = dataFrom === -1;
    const length = isNull ? nameLength : nameLength + dataEnd - dataFrom;
    const ref = this.#slab.take(length);
    this.#rows.set(id, rowField.ref, ref);
    this.#rows.set(id, rowField.name, (nameLength << flagBits) | (isNull ? nameFlag.null : 0));
    if (ref === refEmpty) return;
    const to = this.#slab.bufferOf(ref);
    const at = this.#slab.offsetOf(ref);
    copy(parts.name, nameFrom, nameEnd, to, at);
    if (isNull) return;
    const view = parts.view && this.#slab.viewOf(ref);
    if (view === undefined) copy(parts.data, dataFrom, dataEnd, to, at + nameLength);
    else wordsCopy(parts.view!, dataFrom, dataEnd, view, at + nameLength);
  }

  free(id: number): void {
    this.#slab.free(this.#rows.get(id, rowField.ref));
  }

  /** The data may be a view of what it replaces. */
  dataSet(id: number, data: Uint8Array | null): void {
    const before = this.#rows.get(id, rowField.ref);
    const nameLength = this.nameLength(id);
    const length = nameLength + (data?.length ?? 0);
    if (data === null) this.flagSet(id, nameFlag.null);
    else this.#flagClear(id, nameFlag.null);
    if (this.#slab.isFit(before, length)) {
      if (data === null || before === refEmpty) return;
      this.#slab.bufferOf(before).set(data, this.#slab.offsetOf(before) + nameLength);
      return;
    }
    const ref = this.#slab.take(length);
    if (ref !== refEmpty) {
      const to = this.#slab.bufferOf(ref);
      const at = this.#slab.offsetOf(ref);
      if (before !== refEmpty) {
        const from = this.#slab.offsetOf(before);
        copy(this.#slab.bufferOf(before), from, from + nameLength, to, at);
      }
      if (data !== null) to.set(data, at + nameLength);
    }
    this.#slab.free(before);
    this.#rows.set(id, rowField.ref, ref);
  }

  /** A view of the data, whose length is kept elsewhere. */
  data(id: number, length: number): Uint8Array | null {
    if (this.hasFlag(id, nameFlag.null)) return null;
    if (length === 0) return empty;
    const ref = this.#rows.get(id, rowField.ref);
    const from = this.#slab.offsetOf(ref) + this.nameLength(id);
    return this.#slab.bufferOf(ref).subarray(from, from + length);
  }

  nameLength(id: number): number {
    return this.#rows.get(id, rowField.name) >>> flagBits;
  }

  /** The last byte of the name of a znode that is not the root. */
  nameLast(id: number): number {
    const ref = this.#rows.get(id, rowField.ref);
    return this.#slab.bufferOf(ref)[this.#slab.offsetOf(ref) + this.nameLength(id) - 1]!;
  }

  /** The name of a znode that is not the root. */
  name(id: number): string {
    const ref = this.#rows.get(id, rowField.ref);
    const from = this.#slab.offsetOf(ref);
    return this.#slab.bufferOf(ref).toString("utf8", from, from + this.nameLength(id));
  }

  /** Puts the name's bytes there. */
  nameCopy(id: number, to: Uint8Array, at: number): void {
    const ref = this.#rows.get(id, rowField.ref);
    const from = this.#slab.offsetOf(ref);
    copy(this.#slab.bufferOf(ref), from, from + this.nameLength(id), to, at);
  }

  /** Whether the name is this part of a text of ASCII, `length` long. */
  isText(id: number, text: string, from: number, length: number): boolean {
    const ref = this.#rows.get(id, rowField.ref);
    const bytes = this.#slab.bufferOf(ref);
    const at = this.#slab.offsetOf(ref);
    for (let i = 0; i < length; i++) {
      if (bytes[at + i] !== text.charCodeAt(from + i)) return false;
    }
    return true;
  }

  /** Whether the name is these bytes, `length` of them. */
  isBytes(id: number, other: Uint8Array, from: number, length: number): boolean {
    const ref = this.#rows.get(id, rowField.ref);
    const bytes = this.#slab.bufferOf(ref);
    const at = this.#slab.offsetOf(ref);
    for (let i = 0; i < length; i++) {
      if (bytes[at + i] !== other[from + i]) return false;
    }
    return true;
  }

  /** No digest counts what is below `/zookeeper`: what servers write there by themselves may differ between them. */
  countedFollow(id: number, parent: number): void {
    if (parent === none) return;
    if (this.hasFlag(parent, nameFlag.uncountedBelow)) {
      this.flagSet(id, nameFlag.uncounted | nameFlag.uncountedBelow);
    } else if (parent === rootId && this.#isNamed(id, uncountedName)) {
      this.flagSet(id, nameFlag.uncountedBelow);
    }
  }

  hasFlag(id: number, flag: number): boolean {
    return (this.#rows.get(id, rowField.name) & flag) !== 0;
  }

  flagSet(id: number, flag: number): void {
    this.#rows.set(id, rowField.name, this.#rows.get(id, rowField.name) | flag);
  }

  #isNamed(id: number, name: string): boolean {
    return this.nameLength(id) === name.length && this.isText(id, name, 0, name.length);
  }

  #flagClear(id: number, flag: number): void {
    this.#rows.set(id, rowField.name, this.#rows.get(id, rowField.name) & ~flag);
  }
}

const empty = Buffer.alloc(0);

/** The child of the root that is told of. */
const uncountedName = "zookeeper";

function copy(source: Uint8Array, from: number, end: number, to: Uint8Array, at: number): void {
  if (end - from > loopBytesMax) {
    to.set(source.subarray(from, end), at);
    return;
  }
  const moved = at - from;
  for (let i = from; i < end; i++) to[i + moved] = source[i]!;
}

/** By words, which need not be aligned: a third of a loop's time, and no call out of JavaScript. */
function wordsCopy(source: DataView, from: number, end: number, to: DataView, at: number): void {
  const moved = at - from;
  let i = from;
  for (const whole = end - 3; i < whole; i += 4) to.setInt32(i + moved, source.getInt32(i));
  for (; i < end; i++) to.setUint8(i + moved, source.getUint8(i));
}
