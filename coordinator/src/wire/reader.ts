import { isUtf8 } from "node:buffer";

import { WireError } from "./errors.ts";

/**
 * Reads jute (big-endian, lengths as signed 32 bits) out of one buffer. Every read checks its bounds
 * and throws a `WireError`; a length is checked against what is left before anything is allocated.
 */
export class JuteReader {
  readonly #bytes: Buffer;
  readonly #end: number;
  #at: number;

  /** Reads `bytes` from `start` to `end`; neither is copied. */
  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.#bytes = Buffer.isBuffer(bytes)
      ? bytes
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#at = start;
    this.#end = end;
  }

  /** Offset of the next byte. */
  get position(): number {
    return this.#at;
  }

  /** Bytes that are left. */
  get remaining(): number {
    return this.#end - this.#at;
  }

  byte(): number {
    return this.#bytes.readInt8(this.#take(1));
  }

  /** Jute writes 0 or 1; any other byte is refused. */
  boolean(): boolean {
    const at = this.#take(1);
    const value = this.#bytes[at];
    if (value === 0) return false;
    if (value === 1) return true;
    throw new WireError("boolean", `a boolean is ${value}`, at);
  }

  int(): number {
    return this.#bytes.readInt32BE(this.#take(4));
  }

  /** Half of a long, without its sign: on a hot path a long is two of these, the high half first. */
  uint(): number {
    return this.#bytes.readUInt32BE(this.#take(4));
  }

  long(): bigint {
    return this.#bytes.readBigInt64BE(this.#take(8));
  }

  /** A string that must be there. */
  string(): string {
    const at = this.#at;
    const text = this.stringOrNull();
    if (text === null) throw new WireError("length", "a string is missing", at);
    return text;
  }

  stringOrNull(): string | null {
    const length = this.#length();
    if (length === -1) return null;
    const at = this.#take(length);
    const text = this.#bytes.toString("utf8", at, at + length);
    // The decoder puts U+FFFD for what is not UTF-8; only a text that holds one needs the exact check.
    if (text.includes("\ufffd") && !isUtf8(this.#bytes.subarray(at, at + length))) {
      throw new WireError("text", "a string is not UTF-8", at);
    }
    return text;
  }

  /** A view of the buffer that was given; copy it to keep it. Length -1 is null. */
  buffer(): Buffer | null {
    const length = this.#length();
    if (length === -1) return null;
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** The number of elements that follow. A missing vector (-1) counts as an empty one, as old clients send it. */
  vectorLength(): number {
    const length = this.#length();
    if (length > this.remaining) {
      throw new WireError("length", `a vector of ${length} in ${this.remaining} bytes`, this.#at);
    }
    return Math.max(0, length);
  }

  /** A view of the next `length` bytes. */
  raw(length: number): Buffer {
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** Throws when bytes are left over. */
  end(): void {
    if (this.remaining !== 0) {
      throw new WireError("trailing", `${this.remaining} bytes follow the record`, this.#at);
    }
  }

  #length(): number {
    const at = this.#at;
    const length = this.int();
    if (length < -1) throw new WireError("length", `a length is ${length}`, at);
    return length;
  }

  #take(length: number): number {
    const at = this.#at;
    if (length > this.#end - at) {
      throw new WireError("truncated", `${length} bytes wanted, ${this.#end - at} are left`, at);
    }
    this.#at = at + length;
    return at;
  }
}
