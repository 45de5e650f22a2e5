/** Smallest and largest memory that is kept for the next body; both powers of two. */
const pieceBytesMin = 64 * 1024;
const pieceBytesMax = 4 * 1024 * 1024;

/** Memory kept while no body needs it. */
const keptBytesMax = 32 * 1024 * 1024;

/**
 * Memory for bodies, used again: a fresh buffer costs zeroing, page faults and collections, and bodies
 * come by the hundred a second. It travels to a worker and back.
 */
export class BodyMemory {
  readonly #kept = new Map<number, ArrayBuffer[]>();
  #keptBytes = 0;

  /** At least so many bytes, whose content is whatever it was. */
  take(bytes: number): ArrayBuffer {
    const size = pieceBytes(bytes);
    const piece = this.#kept.get(size)?.pop();
    if (piece === undefined) return new ArrayBuffer(size);
    this.#keptBytes -= size;
    return piece;
  }

  give(piece: ArrayBuffer): void {
    const size = piece.byteLength;
    // Zero: it was transferred and has not come back.
    if (size < pieceBytesMin || size > pieceBytesMax || size !== pieceBytes(size)) return;
    if (this.#keptBytes + size > keptBytesMax) return;
    const same = this.#kept.get(size) ?? [];
    this.#kept.set(size, same);
    same.push(piece);
    this.#keptBytes += size;
  }
}

/** What memory for so many bytes really takes. */
export function pieceBytes(bytes: number): number {
  if (bytes > pieceBytesMax) return bytes;
  return Math.max(pieceBytesMin, 2 ** Math.ceil(Math.log2(Math.max(1, bytes))));
}
