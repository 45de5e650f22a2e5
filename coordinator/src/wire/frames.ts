import { WireError } from "./errors.ts";
import { frameBytesMax } from "./limits.ts";

/**
 * Cuts a stream of bytes into frames (a signed 32-bit length, then that many bytes). A frame that
 * lies whole in a chunk is given as a view of it; only one that spans chunks is copied together.
 */
export class FrameSplitter {
  readonly #max: number;
  readonly #head = Buffer.alloc(4);
  #headLength = 0;
  #body: Buffer | undefined;
  #bodyLength = 0;

  /** `max`: bytes of the largest frame that is taken. */
  constructor(max = frameBytesMax) {
    this.#max = max;
  }

  /**
   * Bytes of a frame that has begun and not ended. The buffer for it is as long as its length says,
   * which is at most `max`.
   */
  get pending(): number {
    return this.#headLength + this.#bodyLength;
  }

  /**
   * Hands on each frame that this chunk completes; it is a view of the chunk, or its own. Throws a `WireError` for a length
   * that is negative or above the maximum, after which the stream cannot be read further.
   */
  push(chunk: Uint8Array, frame: (bytes: Buffer) => void): void {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    let at = 0;
    while (at < bytes.length) {
      if (this.#body !== undefined) {
        at += this.#fill(bytes, at, frame);
      } else if (this.#headLength > 0 || bytes.length - at < 4) {
        at += this.#headFill(bytes, at, frame);
      } else {
        const length = this.#checked(bytes.readInt32BE(at), at);
        if (bytes.length - at - 4 < length) {
          this.#begin(length);
          at += 4;
        } else {
          frame(bytes.subarray(at + 4, at + 4 + length));
          at += 4 + length;
        }
      }
    }
  }

  #headFill(bytes: Buffer, at: number, frame: (bytes: Buffer) => void): number {
    const taken = bytes.copy(this.#head, this.#headLength, at, at + 4 - this.#headLength);
    this.#headLength += taken;
    if (this.#headLength === 4) {
      const length = this.#checked(this.#head.readInt32BE(0), at);
      this.#headLength = 0;
      if (length === 0) frame(Buffer.alloc(0));
      else this.#begin(length);
    }
    return taken;
  }

  #begin(length: number): void {
    this.#body = Buffer.allocUnsafeSlow(length);
    this.#bodyLength = 0;
  }

  #fill(bytes: Buffer, at: number, frame: (bytes: Buffer) => void): number {
    const body = this.#body as Buffer;
    const taken = bytes.copy(body, this.#bodyLength, at);
    this.#bodyLength += taken;
    if (this.#bodyLength === body.length) {
      this.#body = undefined;
      this.#bodyLength = 0;
      frame(body);
    }
    return taken;
  }

  #checked(length: number, at: number): number {
    if (length < 0 || length > this.#max) {
      throw new WireError("length", `a frame of ${length} bytes; at most ${this.#max}`, at);
    }
    return length;
  }
}
