import { pooledBytesMin, receivePoolBytesMax } from "./limits.ts";

/**
 * Memory of messages that were dealt with, for those to come: to allocate each anew costs more than all else about a large message,
 * most of it in collections.
 */
export class ReceiveMemory {
  /** By their power of two. */
  readonly #free = new Map<number, Buffer[]>();
  #freeBytes = 0;

  /** At least so many bytes. */
  take(bytes: number): Buffer {
    if (bytes < pooledBytesMin) return Buffer.allocUnsafe(bytes);
    const size = 2 ** Math.ceil(Math.log2(bytes));
    const found = this.#free.get(size)?.pop();
    if (found === undefined) return Buffer.allocUnsafeSlow(size);
    this.#freeBytes -= size;
    return found;
  }

  /** What `take` gave, and nobody looks at any more. */
  give(memory: Buffer): void {
    const size = memory.length;
    if (size < pooledBytesMin || this.#freeBytes + size > receivePoolBytesMax) return;
    const free = this.#free.get(size) ?? [];
    this.#free.set(size, free);
    free.push(memory);
    this.#freeBytes += size;
  }
}
