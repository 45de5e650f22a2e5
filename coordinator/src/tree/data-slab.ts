import { assert } from "../../../kit/src/assert.ts";
import { slabChunkBytes, slabDataMax } from "./limits.ts";

/** Where a znode's data lies: opaque to everyone but the slab that gave it. */
export type DataRef = number;

export const dataNull: DataRef = -1;
export const dataEmpty: DataRef = -2;

const slotStep = 16;
const classCount = slabDataMax / slotStep;
const slotsPerChunkMax = slabChunkBytes / slotStep;
const bigBase = 0x4000_0000;

interface Chunk {
  readonly bytes: Buffer;
  readonly sizeClass: number;
  readonly slots: number;
  /** Slots handed out at least once; those above are untouched. */
  used: number;
  live: number;
  readonly free: number[];
}

/**
 * The data of all znodes, outside the JavaScript heap: slots of equal size in chunks, one size class
 * every 16 bytes. A ref is chunk × slots + slot; data above `slabDataMax` has a buffer of its own.
 */
export class DataSlab {
  readonly #chunks: (Chunk | undefined)[] = [];
  readonly #chunksFree: number[] = [];
  /** The chunk that a size class fills next, and others of that class with free slots. */
  readonly #open: number[][] = Array.from({ length: classCount + 1 }, () => []);
  readonly #big: (Buffer | undefined)[] = [];
  readonly #bigFree: number[] = [];
  #bytesReserved = 0;

  /** Bytes of memory held, whether or not data fills them. */
  get bytesReserved(): number {
    return this.#bytesReserved;
  }

  /** Stores a copy of the data; null is kept apart from empty. */
  put(data: Uint8Array | null): DataRef {
    if (data === null) return dataNull;
    if (data.length === 0) return dataEmpty;
    if (data.length > slabDataMax) return this.#putBig(data);
    const sizeClass = Math.ceil(data.length / slotStep);
    const index = this.#open[sizeClass]!.at(-1) ?? this.#chunkAdd(sizeClass);
    const chunk = this.#chunks[index]!;
    const slot = chunk.free.pop() ?? chunk.used++;
    chunk.live++;
    if (chunk.live === chunk.slots) this.#open[sizeClass]!.pop();
    chunk.bytes.set(data, slot * sizeClass * slotStep);
    return index * slotsPerChunkMax + slot;
  }

  /** A view, valid until this ref is freed. */
  get(ref: DataRef, length: number): Uint8Array | null {
    if (ref === dataNull) return null;
    if (ref === dataEmpty) return Buffer.alloc(0);
    if (ref >= bigBase) return this.#big[ref - bigBase]!;
    const chunk = this.#chunks[Math.floor(ref / slotsPerChunkMax)]!;
    const from = (ref % slotsPerChunkMax) * chunk.sizeClass * slotStep;
    return chunk.bytes.subarray(from, from + length);
  }

  free(ref: DataRef): void {
    if (ref < 0) return;
    if (ref >= bigBase) {
      this.#bytesReserved -= this.#big[ref - bigBase]!.length;
      this.#big[ref - bigBase] = undefined;
      this.#bigFree.push(ref - bigBase);
      return;
    }
    const index = Math.floor(ref / slotsPerChunkMax);
    const chunk = this.#chunks[index]!;
    const open = this.#open[chunk.sizeClass]!;
    if (chunk.live === chunk.slots) open.push(index);
    chunk.free.push(ref % slotsPerChunkMax);
    chunk.live--;
    if (chunk.live === 0 && open.length > 1) {
      open.splice(open.indexOf(index), 1);
      this.#chunks[index] = undefined;
      this.#chunksFree.push(index);
      this.#bytesReserved -= chunk.bytes.length;
    }
  }

  #putBig(data: Uint8Array): DataRef {
    // Not from the shared pool: a pooled slice would pin its neighbours.
    const copy = Buffer.allocUnsafeSlow(data.length);
    copy.set(data);
    const slot = this.#bigFree.pop() ?? this.#big.length;
    this.#big[slot] = copy;
    this.#bytesReserved += copy.length;
    return bigBase + slot;
  }

  #chunkAdd(sizeClass: number): number {
    const slotBytes = sizeClass * slotStep;
    const slots = Math.floor(slabChunkBytes / slotBytes);
    const bytes = Buffer.allocUnsafeSlow(slots * slotBytes);
    const index = this.#chunksFree.pop() ?? this.#chunks.length;
    assert((index + 1) * slotsPerChunkMax < bigBase, "the data slab has run out of refs");
    this.#chunks[index] = { bytes, sizeClass, slots, used: 0, live: 0, free: [] };
    this.#open[sizeClass]!.push(index);
    this.#bytesReserved += bytes.length;
    return index;
  }
}
