import { assert } from "../../../kit/src/assert.ts";
import { slabChunkBytes, slabDataMax } from "./limits.ts";

/** Where a znode's bytes lie: opaque to everyone but the slab that gave it. */
export type DataRef = number;

/** The place of no bytes. */
export const refEmpty: DataRef = -2;

const slotStep = 16;
const classCount = slabDataMax / slotStep;
const slotsPerChunkMax = slabChunkBytes / slotStep;
const bigBase = 0x4000_0000;

interface Chunk {
  readonly bytes: Buffer;
  readonly view: DataView;
  readonly sizeClass: number;
  readonly slots: number;
  /** Slots handed out at least once; those above are untouched. */
  used: number;
  live: number;
  readonly free: number[];
}

/**
 * The bytes of all znodes, outside the JavaScript heap: slots of equal size in chunks, one size class
 * every 16 bytes. A ref is chunk × slots + slot; what is above `slabDataMax` has a buffer of its own.
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

  /** A place for so many bytes. What is there now is not defined. */
  take(length: number): DataRef {
    if (length === 0) return refEmpty;
    if (length > slabDataMax) return this.#takeBig(length);
    const sizeClass = classOf(length);
    const index = this.#open[sizeClass]!.at(-1) ?? this.#chunkAdd(sizeClass);
    const chunk = this.#chunks[index]!;
    const slot = chunk.free.pop() ?? chunk.used++;
    chunk.live++;
    if (chunk.live === chunk.slots) this.#open[sizeClass]!.pop();
    return index * slotsPerChunkMax + slot;
  }

  /** Whether a place is just the one that so many bytes would be given. */
  isFit(ref: DataRef, length: number): boolean {
    if (ref < 0) return length === 0;
    if (length === 0 || length > slabDataMax) return false;
    return ref < bigBase && this.#chunkOf(ref).sizeClass === classOf(length);
  }

  /** The buffer that holds this place, which begins at `offsetOf`. Not for `refEmpty`. */
  bufferOf(ref: DataRef): Buffer {
    return ref >= bigBase ? this.#big[ref - bigBase]! : this.#chunkOf(ref).bytes;
  }

  /** The numbers of a place that is not a buffer of its own; undefined for one that is. */
  viewOf(ref: DataRef): DataView | undefined {
    return ref >= bigBase ? undefined : this.#chunkOf(ref).view;
  }

  offsetOf(ref: DataRef): number {
    if (ref >= bigBase) return 0;
    return (ref % slotsPerChunkMax) * this.#chunkOf(ref).sizeClass * slotStep;
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

  #chunkOf(ref: DataRef): Chunk {
    return this.#chunks[Math.floor(ref / slotsPerChunkMax)]!;
  }

  #takeBig(length: number): DataRef {
    // Not from the shared pool: a pooled slice would pin its neighbours.
    const slot = this.#bigFree.pop() ?? this.#big.length;
    this.#big[slot] = Buffer.allocUnsafeSlow(length);
    this.#bytesReserved += length;
    return bigBase + slot;
  }

  #chunkAdd(sizeClass: number): number {
    const slotBytes = sizeClass * slotStep;
    const slots = Math.floor(slabChunkBytes / slotBytes);
    const bytes = Buffer.allocUnsafeSlow(slots * slotBytes);
    const index = this.#chunksFree.pop() ?? this.#chunks.length;
    assert((index + 1) * slotsPerChunkMax < bigBase, "the data slab has run out of refs");
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#chunks[index] = { bytes, view, sizeClass, slots, used: 0, live: 0, free: [] };
    this.#open[sizeClass]!.push(index);
    this.#bytesReserved += bytes.length;
    return index;
  }
}

function classOf(length: number): number {
  return (length + slotStep - 1) >>> 4;
}
