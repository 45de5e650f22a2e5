import type { ByteReader } from "./byte-reader.ts";
import { checkStored } from "./damage.ts";
import { copyBytes, viewOf } from "./words.ts";

/**
 * Where one column's encoding goes: a description (in a header), bits that are as small as they can be, and text
 * that zstd makes smaller. All three are written and read in one order.
 */
export class PayloadWriter {
  #bytes: Buffer;
  #view: DataView;
  #length = 0;

  constructor(bytes = 1 << 12) {
    this.#bytes = Buffer.allocUnsafeSlow(bytes);
    this.#view = viewOf(this.#bytes);
  }

  get length(): number {
    return this.#length;
  }

  /** What was written so far; valid until the next write. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Begins anew. */
  clear(): void {
    this.#length = 0;
  }

  /** Room for so many bytes at the end of what was written, which count as written. */
  reserve(length: number): { readonly bytes: Buffer; readonly at: number } {
    const at = this.#length;
    this.#room(length);
    this.#length += length;
    return { bytes: this.#bytes, at };
  }

  varint(value: number): void {
    this.#room(8);
    while (value >= 0x80) {
      this.#bytes[this.#length++] = (value % 0x80) | 0x80;
      value = Math.floor(value / 0x80);
    }
    this.#bytes[this.#length++] = value;
  }

  copy(from: Buffer, start: number, end: number): void {
    this.#room(end - start);
    const bytes = this.#bytes;
    let at = this.#length;
    this.#length += end - start;
    // A call costs as much as a loop over some hundred bytes.
    if (end - start > 200) from.copy(bytes, at, start, end);
    else while (start < end) bytes[at++] = from[start++] as number;
  }

  /** As `copy`, for UTF-8 (see `copyBytes`); `view` is over the memory of `from`. */
  copyText(from: Buffer, view: DataView, start: number, end: number): void {
    this.#room(end - start);
    copyBytes(view, from, start, end, this.#view, this.#bytes, this.#length);
    this.#length += end - start;
  }

  #room(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#length + more, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
    this.#view = viewOf(grown);
  }
}

/** Reads what a `PayloadWriter` wrote, front to back. */
export class PayloadReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  take(length: number): Buffer {
    const at = this.#at;
    checkStored(at + length <= this.#bytes.length, "a payload ends too early");
    this.#at = at + length;
    return this.#bytes.subarray(at, at + length);
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    while (true) {
      checkStored(this.#at < this.#bytes.length, "a payload ends too early");
      const byte = this.#bytes[this.#at++] as number;
      value += (byte & 0x7f) * scale;
      checkStored(Number.isSafeInteger(value), "a stored number is too large");
      if (byte < 0x80) return value;
      scale *= 0x80;
    }
  }

  checkEnd(): void {
    checkStored(this.#at === this.#bytes.length, "a payload is longer than it says");
  }
}

/** What a column is read from. */
export interface ColumnSource {
  readonly head: ByteReader;
  readonly packed: PayloadReader;
  readonly text: PayloadReader;
}
