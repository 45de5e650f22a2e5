import { isUtf8 } from "node:buffer";

import { WireError } from "./errors.ts";

/** A long passes through here on its way to or from a bigint: nothing is kept. */
const scratch = new DataView(new ArrayBuffer(8));

/** Above this the high half of a long makes a number that is not exact. */
const safeHigh = 2 ** 21;

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
    return (this.#bytes[this.#take(1)]! << 24) >> 24;
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
    const at = this.#take(4);
    const bytes = this.#bytes;
    return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
  }

  /** Half of a long, without its sign: on a hot path a long is two of these, the high half first. */
  uint(): number {
    return this.int() >>> 0;
  }

  long(): bigint {
    scratch.setInt32(0, this.int());
    scratch.setInt32(4, this.int());
    return scratch.getBigInt64(0);
  }

  /** A long that is a number without loss, as zxids and times are; any other is refused. */
  longNumber(): number {
    const at = this.#at;
    const high = this.int();
    const low = this.uint();
    if (high < -safeHigh || high >= safeHigh) {
      throw new WireError("range", "a long is beyond what a zxid or a time can be", at);
    }
    return high * 2 ** 32 + low;
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

  /** Whether just these bytes follow; they are then read. */
  takes(bytes: Uint8Array): boolean {
    const { length } = bytes;
    if (length > this.remaining) return false;
    for (let i = 0; i < length; i++) if (this.#bytes[this.#at + i] !== bytes[i]) return false;
    this.#at += length;
    return true;
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
