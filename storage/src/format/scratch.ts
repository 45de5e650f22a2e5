import { scratchBytesKept } from "./limits.ts";

/**
 * Memory for what is needed while one block is made, taken piece by piece and given back as a whole. What is taken
 * anew for each block costs page faults, and counts towards the garbage collector's next full turn.
 * Pieces hold whatever was there before.
 */
export class Scratch {
  #memory = new ArrayBuffer(0);
  #taken = 0;

  /** Gives back all that was taken: it must not be used any more. */
  reset(): void {
    if (this.#taken > this.#memory.byteLength && this.#memory.byteLength < scratchBytesKept) {
      const wanted = Math.min(this.#taken + (this.#taken >>> 2), scratchBytesKept);
      this.#memory = new ArrayBuffer(wanted);
    }
    this.#taken = 0;
  }

  f64(length: number): Float64Array<ArrayBuffer> {
    const at = this.#take(length * 8);
    return at < 0 ? new Float64Array(length) : new Float64Array(this.#memory, at, length);
  }

  u32(length: number): Uint32Array<ArrayBuffer> {
    const at = this.#take(length * 4);
    return at < 0 ? new Uint32Array(length) : new Uint32Array(this.#memory, at, length);
  }

  u16(length: number): Uint16Array<ArrayBuffer> {
    const at = this.#take(length * 2);
    return at < 0 ? new Uint16Array(length) : new Uint16Array(this.#memory, at, length);
  }

  bytes(length: number): Buffer {
    const at = this.#take(length);
    return at < 0 ? Buffer.allocUnsafeSlow(length) : Buffer.from(this.#memory, at, length);
  }

  /** Where so many bytes lie; -1 when there is no room for them. */
  #take(length: number): number {
    const at = this.#taken;
    this.#taken += (length + 7) & ~7;
    return this.#taken <= this.#memory.byteLength ? at : -1;
  }
}
