const chunkBytes = 64 * 1024;

/**
 * Copies of many short byte strings, cut from few buffers: one allocation serves hundreds. A buffer is freed once none
 * of its copies is used any more.
 */
export class ByteSlab {
  #chunk = Buffer.alloc(0);
  #at = 0;

  copy(bytes: Uint8Array): Buffer {
    const { length } = bytes;
    if (length > chunkBytes / 4) return Buffer.from(bytes);
    if (this.#at + length > this.#chunk.length) {
      this.#chunk = Buffer.allocUnsafeSlow(chunkBytes);
      this.#at = 0;
    }
    const copy = this.#chunk.subarray(this.#at, this.#at + length);
    copy.set(bytes);
    this.#at += length;
    return copy;
  }
}
