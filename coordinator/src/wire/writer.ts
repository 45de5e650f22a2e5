import { assert } from "../../../kit/src/assert.ts";
import { writerBytesInitial } from "./limits.ts";

/** A long passes through here on its way from a bigint: nothing is kept. */
const scratch = new DataView(new ArrayBuffer(8));

/** Above it the decoder of the platform is faster. */
const shortTextMax = 48;

/** A socket: what it has been given and not handed to the kernel counts in `writableLength`. */
export interface ByteSink {
  write(bytes: Uint8Array): unknown;
  readonly writableLength: number;
}

/**
 * Writes jute into one growing buffer, which is reused after `reset`. What it is given is our own,
 * so a value out of range is an assertion.
 */
export class JuteWriter {
  #bytes: Buffer;
  #at = 0;

  constructor(capacity = writerBytesInitial) {
    this.#bytes = Buffer.allocUnsafeSlow(capacity);
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#at;
  }

  byte(value: number): void {
    const at = this.#room(1);
    this.#bytes[at] = value;
  }

  boolean(value: boolean): void {
    const at = this.#room(1);
    this.#bytes[at] = value ? 1 : 0;
  }

  int(value: number): void {
    const at = this.#room(4);
    this.#intAt(at, value);
  }

  /** Half of a long: on a hot path a long is two of these, the high half first. */
  uint(value: number): void {
    const at = this.#room(4);
    this.#intAt(at, value);
  }

  long(value: bigint): void {
    const at = this.#room(8);
    scratch.setBigInt64(0, value);
    this.#intAt(at, scratch.getInt32(0));
    this.#intAt(at + 4, scratch.getInt32(4));
  }

  /** A long that is a safe integer, as zxids and times are. */
  longNumber(value: number): void {
    const at = this.#room(8);
    this.#intAt(at, Math.floor(value / 2 ** 32));
    this.#intAt(at + 4, value % 2 ** 32);
  }

  string(value: string): void {
    this.stringOrNull(value);
  }

  stringOrNull(value: string | null): void {
    if (value === null) {
      this.int(-1);
      return;
    }
    // A UTF-16 unit takes at most three bytes, so one reservation serves without measuring first.
    const at = this.#reserve(4 + value.length * 3);
    const length = this.#shortAscii(value, at + 4)
      ? value.length
      : this.#bytes.write(value, at + 4, "utf8");
    this.#intAt(at, length);
    this.#at = at + 4 + length;
  }

  buffer(value: Uint8Array | null): void {
    if (value === null) {
      this.int(-1);
      return;
    }
    this.int(value.length);
    this.raw(value);
  }

  raw(value: Uint8Array): void {
    const at = this.#room(value.length);
    this.#bytes.set(value, at);
  }

  /** Leaves room for a frame's length; hand the result to `frameEnd`. */
  frameStart(): number {
    return this.#room(4);
  }

  /** Puts the number of bytes written since into the room that `frameStart` left. */
  frameEnd(start: number): void {
    assert(start + 4 <= this.#at, "a frame ends before it starts");
    this.#intAt(start, this.#at - start - 4);
  }

  /** What was written, as a view that the next write or `reset` may overwrite. */
  view(): Buffer {
    return this.#bytes.subarray(0, this.#at);
  }

  /** What was written, in a buffer of its own. */
  copy(): Buffer {
    const copy = Buffer.allocUnsafeSlow(this.#at);
    this.#bytes.copy(copy, 0, 0, this.#at);
    return copy;
  }

  /**
   * Hands what was written to a socket and begins anew, without a copy: the buffer is kept once the kernel has taken all of
   * it, and left to the socket otherwise, or when it has grown beyond `keptMax`.
   */
  sendTo(socket: ByteSink, keptMax: number): void {
    socket.write(this.view());
    if (socket.writableLength > 0 || this.#bytes.length > keptMax) {
      this.#bytes = Buffer.allocUnsafeSlow(writerBytesInitial);
    }
    this.#at = 0;
  }

  /** Forgets what was written and keeps the buffer. */
  reset(): void {
    this.#at = 0;
  }

  /** Takes back what was written after so many bytes. */
  cut(length: number): void {
    assert(length <= this.#at, "what is cut was written");
    this.#at = length;
  }

  /** Most paths: a call out of JavaScript costs more than these few bytes do. False when the text is another. */
  #shortAscii(value: string, at: number): boolean {
    if (value.length > shortTextMax) return false;
    const bytes = this.#bytes;
    for (let i = 0; i < value.length; i++) {
      const unit = value.charCodeAt(i);
      if (unit > 0x7f) return false;
      bytes[at + i] = unit;
    }
    return true;
  }

  #intAt(at: number, value: number): void {
    const bytes = this.#bytes;
    bytes[at] = value >>> 24;
    bytes[at + 1] = value >>> 16;
    bytes[at + 2] = value >>> 8;
    bytes[at + 3] = value;
  }

  /** May replace the buffer: take the offset before the buffer. */
  #room(length: number): number {
    const at = this.#reserve(length);
    this.#at = at + length;
    return at;
  }

  #reserve(length: number): number {
    const needed = this.#at + length;
    if (needed > this.#bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2));
      this.#bytes.copy(grown, 0, 0, this.#at);
      this.#bytes = grown;
    }
    return this.#at;
  }
}
