import { adler32 } from "../wire/adler32.ts";
import type { Codec } from "../wire/codec.ts";
import { WireError } from "../wire/errors.ts";
import { JuteReader } from "../wire/reader.ts";
import { imageWindowBytes } from "./limits.ts";

/** Bytes that are too many to be held at once, as those of a file. */
export interface ByteSource {
  readonly size: number;
  /** Puts bytes from this position on into a part of a buffer. Returns how many: 0 only when there are no more. */
  read(into: Buffer, at: number, length: number, position: number): number;
}

/**
 * A window that moves over the bytes of an image, and their Adler-32. What `reach` brought lies in `bytes` from `at` on; it
 * may lie elsewhere after the next call. Whoever reads moves `at`.
 */
export class ImageBytes {
  bytes: Buffer;
  view: DataView;
  at = 0;
  #end: number;
  /** The position of the window's first byte. */
  #base = 0;
  readonly #source: ByteSource | undefined;
  readonly #size: number;
  #checksum = 1;
  /** How far into the window the checksum reaches. */
  #summed = 0;

  constructor(source: Buffer | ByteSource) {
    const isWhole = Buffer.isBuffer(source);
    this.#source = isWhole ? undefined : source;
    this.#size = isWhole ? source.length : source.size;
    this.bytes = isWhole ? source : Buffer.allocUnsafeSlow(imageWindowBytes);
    this.view = viewOf(this.bytes);
    this.#end = isWhole ? source.length : 0;
  }

  /** Bytes that are left. */
  get remaining(): number {
    return this.#size - this.position;
  }

  get position(): number {
    return this.#base + this.at;
  }

  /** Sees to it that so many bytes lie from `at` on. Throws `truncated` when there are fewer. */
  reach(length: number): void {
    if (this.#end - this.at < length) this.#fill(length);
  }

  /** Reads something whose length only its reader knows. */
  read<T>(codec: Codec<T>): T {
    for (;;) {
      const held = this.#end - this.at;
      const from = new JuteReader(this.bytes, this.at, this.#end);
      try {
        const value = codec.read(from);
        this.at = from.position;
        return value;
      } catch (thrown) {
        // It may go on beyond what is held.
        if (!(thrown instanceof WireError)) throw thrown;
        if (held === this.remaining)
          throw new WireError(thrown.fault, thrown.message, this.position);
      }
      this.#fill(Math.min(this.remaining, Math.max(held * 2, imageWindowBytes)));
    }
  }

  /** The checksum of all before the current position. */
  checksum(): number {
    this.#checksum = adler32(this.bytes, this.#summed, this.at, this.#checksum);
    this.#summed = this.at;
    return this.#checksum;
  }

  /** Passes over so many bytes. */
  skip(length: number): void {
    for (let left = length; left > 0; ) {
      if (this.at === this.#end) this.#fill(1);
      const passed = Math.min(left, this.#end - this.at);
      this.at += passed;
      left -= passed;
    }
  }

  #fill(length: number): void {
    if (length > this.remaining) {
      const message = `${length} bytes wanted, ${this.remaining} are left`;
      throw new WireError("truncated", message, this.position);
    }
    this.checksum();
    const held = this.#end - this.at;
    const before = this.bytes;
    if (length > before.length) {
      this.bytes = Buffer.allocUnsafeSlow(length);
      this.view = viewOf(this.bytes);
    }
    before.copy(this.bytes, 0, this.at, this.#end);
    this.#base += this.at;
    this.at = 0;
    this.#summed = 0;
    this.#end = held;
    while (this.#end < this.bytes.length && this.#base + this.#end < this.#size) {
      const room = this.bytes.length - this.#end;
      const count = this.#source!.read(this.bytes, this.#end, room, this.#base + this.#end);
      if (count === 0) throw new WireError("truncated", "the file has become shorter", this.#size);
      this.#end += count;
    }
  }
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
